#include "models/evaluator.h"

#include <algorithm>
#include <array>
#include <span>

#include "models/network_input.h"
#include "runtime/errors.h"
#include "runtime/sharding.h"

namespace gradflip {
namespace {

// Pictures that go through the network at once.
constexpr std::int64_t kEvaluationBatch = 512;

const LabelledImages& checked(const LabelledImages& data, std::int64_t num_classes) {
  require_fits(data, num_classes, "evaluation set");
  if (data.images.count == 0) throw DataError("evaluation set: no pictures");
  return data;
}

template <typename T>
Buffer to_context(const Context& context, const std::vector<T>& values) {
  Buffer buffer(context, static_cast<std::int64_t>(values.size() * sizeof(T)));
  copy_from_host(context, buffer.data(), values.data(), buffer.bytes());
  return buffer;
}

}  // namespace

Evaluator::Evaluator(const EvaluatedNetwork& network, const LabelledImages& data)
    : context_(network.context),
      count_(checked(data, network.num_classes).images.count),
      batch_(std::min(kEvaluationBatch, count_)),
      graph_(build_evaluation_graph(dataset_shape(data.images), network.num_classes, batch_,
                                    network.precision, network.parameters,
                                    batch_cut(network.context).whole())),
      images_(to_context(context_, data.images.pixels)),
      labels_(to_context(context_, data.labels)),
      step_(context_, sizeof(std::int64_t)),
      executor_(graph_.graph, network.parameters, network.blocks, context_, network.workers,
                std::array<std::int64_t, 1>{batch_}) {
  executor_.bind(graph_.step, step_.data());
  executor_.bind(graph_.images, images_.data());
  executor_.bind(graph_.labels, labels_.data());
  executor_.bind(graph_.channel_means, network.channel_means.data());
  executor_.bind(graph_.channel_scales, network.channel_scales.data());
}

double Evaluator::accuracy() {
  constexpr std::int64_t kFirst = 0;
  copy_from_host(context_, step_.data(), &kFirst, sizeof kFirst);
  double correct = 0.0;
  for (std::int64_t begin = 0; begin < count_; begin += batch_) {
    executor_.run(std::array<std::int64_t, 1>{std::min(batch_, count_ - begin)});
    correct += executor_.read_scalar(graph_.correct);
  }
  return correct / static_cast<double>(count_);
}

}  // namespace gradflip
