#include "models/statistics_estimate.h"

#include <algorithm>
#include <array>

#include "models/data/domain_data.h"
#include "runtime/ops/sample.h"
#include "runtime/ops/schedule.h"

namespace gradflip {
namespace {

// Samples whose statistics are taken together.
constexpr std::int64_t kEstimationBatch = 512;

}  // namespace

StatisticsEstimate::Written StatisticsEstimate::write(const EstimatedNetwork& network,
                                                      const DeviceData& data, int domain,
                                                      std::int64_t batch) {
  Written written;
  Draft& draft = written.draft;
  draft.name = "statistics";
  Graph& graph = draft.graph;
  draft.step = graph.external("batches", {Dtype::kI64, {}, {}});
  written.samples = graph.external("samples", data.shape().type());
  written.input = declare_input(graph, network.network.input);
  const Value indices =
      ops::sample_indices(graph, draft.step, kSource, {.size = data.count(), .batch = batch});
  const std::array<InputSource, 1> sources{{{written.samples, indices, domain}}};
  Pass pass = network.pass;
  pass.domains.fill(domain);
  pass.training = {.step = draft.step, .rows = {batch}, .drops = false};
  const Parameters& declared = network.parameters;
  NetworkBuilder builder(graph, declared, pass);
  const Value x = gather_input(graph, network.network.input, written.input, sources);
  network.network.label_predictor(builder, network.network.feature_extractor(builder, x),
                                  network.num_classes);
  draft.running = builder.kept();
  for (Running& each : draft.running) each.momentum = 1.0F;
  // The k-th batch counts 1 / k: together they are their mean.
  draft.running_times = ops::evaluate_schedule(
      graph, draft.step,
      {.kind = Schedule::Kind::kStepDecay, .start = 1.0, .beta = 1.0, .gamma = 1.0});
  return written;
}

StatisticsEstimate::StatisticsEstimate(const EstimatedNetwork& network, const DeviceData& data,
                                       int domain)
    : trained_(network.state),
      context_(network.context),
      batch_(std::min(kEstimationBatch, data.count())),
      batches_(data.count() / batch_),
      written_(write(network, data, domain, batch_)),
      state_(context_, network.parameters, /*seed=*/0, {}),
      program_(written_.draft, network.parameters, state_, context_, network.workers,
               std::array<std::int64_t, 1>{batch_}) {
  program_.bind(written_.samples, data.samples());
  network.input_memory.bind(program_, written_.input);
}

void StatisticsEstimate::update() {
  constexpr std::int64_t kNone = 0;
  copy_from_host(context_, state_.step().data(), &kNone, sizeof kNone);
  const Buffer& weights = trained_.parameter_blocks().weights;
  copy_within(context_, state_.parameter_blocks().weights.data(), weights.data(), weights.bytes());
  if (written_.draft.running.empty()) return;
  for (std::int64_t batch = 0; batch < batches_; ++batch) {
    program_.executor().run(std::array<std::int64_t, 1>{batch_});
  }
}

}  // namespace gradflip
