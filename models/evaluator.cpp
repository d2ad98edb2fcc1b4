#include "models/evaluator.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/require.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

// Samples that go through the network at once.
constexpr std::int64_t kEvaluationBatch = 512;

const DatasetShape& checked(const EvaluatedNetwork& network, const LabelledDeviceData& data) {
  data.require_on(network.context);
  require_takes(network.network.input, data);
  data.require_labels_below(network.num_classes);
  if (data.count() == 0) {
    throw DataError(message(data.name(), ": no ", noun_of(data.shape().dtype), "s"));
  }
  return data.shape();
}

Pass on_domain(Pass pass, int domain) {
  pass.domains.fill(domain);
  return pass;
}

}  // namespace

Evaluator::Evaluator(const EvaluatedNetwork& network, const LabelledDeviceData& data, int domain,
                     std::unique_ptr<StatisticsEstimate> estimate)
    : estimate_(std::move(estimate)),
      context_(network.context),
      count_(checked(network, data).count),
      batch_(std::min(kEvaluationBatch, count_)),
      evaluation_(write_evaluation(network.network, network.parameters, data.shape(),
                                   network.num_classes, batch_, on_domain(network.pass, domain))),
      batches_(context_, sizeof(std::int64_t)),
      program_(evaluation_.draft, network.parameters,
               estimate_ ? estimate_->state() : network.state, context_, network.workers,
               std::array<std::int64_t, 1>{batch_}) {
  program_.bind(evaluation_.batches, batches_.data());
  program_.bind(evaluation_.samples, data.samples());
  program_.bind(evaluation_.labels, data.labels());
  network.input_memory.bind(program_, evaluation_.input);
}

double Evaluator::accuracy() {
  if (estimate_) estimate_->update();
  constexpr std::int64_t kNone = 0;
  copy_from_host(context_, batches_.data(), &kNone, sizeof kNone);
  double correct = 0.0;
  for (std::int64_t begin = 0; begin < count_; begin += batch_) {
    program_.executor().run(std::array<std::int64_t, 1>{std::min(batch_, count_ - begin)});
    correct += program_.read_scalar(evaluation_.correct);
  }
  return correct / static_cast<double>(count_);
}

}  // namespace gradflip
