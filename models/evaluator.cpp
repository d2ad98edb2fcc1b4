#include "models/evaluator.h"

#include <algorithm>
#include <array>

#include "kernels/require.h"
#include "runtime/errors.h"
#include "runtime/sharding.h"

namespace gradflip {
namespace {

// Samples that go through the network at once.
constexpr std::int64_t kEvaluationBatch = 512;

const DatasetShape& checked(const EvaluatedNetwork& network, const LabelledDeviceData& data) {
  data.require_on(network.context);
  require_takes(network.input, data);
  data.require_labels_below(network.num_classes);
  if (data.count() == 0) {
    throw DataError(message(data.name(), ": no ", noun_of(data.shape().dtype), "s"));
  }
  return data.shape();
}

}  // namespace

Evaluator::Evaluator(const EvaluatedNetwork& network, const LabelledDeviceData& data)
    : context_(network.context),
      count_(checked(network, data).count),
      batch_(std::min(kEvaluationBatch, count_)),
      graph_(build_evaluation_graph(network.input, data.shape(), network.num_classes, batch_,
                                    network.precision, network.parameters,
                                    batch_cut(network.context).whole())),
      step_(context_, sizeof(std::int64_t)),
      executor_(graph_.graph, network.parameters, network.blocks, context_, network.workers,
                std::array<std::int64_t, 1>{batch_}) {
  executor_.bind(graph_.step, step_.data());
  executor_.bind(graph_.samples, data.samples());
  executor_.bind(graph_.labels, data.labels());
  network.input_memory.bind(executor_, graph_.input);
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
