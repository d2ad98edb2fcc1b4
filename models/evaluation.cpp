#include "models/evaluation.h"

#include <array>

#include "models/data/domain_data.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/gather.h"
#include "runtime/ops/sample.h"
#include "runtime/ops/schedule.h"

namespace gradflip {

Evaluation write_evaluation(const Network& network, const Parameters& parameters,
                            const DatasetShape& data, std::int64_t num_classes, std::int64_t batch,
                            const Pass& pass) {
  Evaluation evaluation;
  evaluation.draft.name = "evaluation";
  Graph& graph = evaluation.draft.graph;
  evaluation.batches = graph.external("batches", {Dtype::kI64, {}, {}});
  evaluation.samples = graph.external("samples", data.type());
  evaluation.labels = graph.external("labels", {Dtype::kI32, {data.count}, {}});
  evaluation.input = declare_input(graph, network.input);
  NetworkBuilder builder(graph, parameters, pass);
  const Value indices = ops::sample_indices(graph, evaluation.batches, kSource,
                                            {.size = data.count, .batch = batch, .shuffle = false});
  const std::array<InputSource, 1> sources{{{evaluation.samples, indices, pass.domains[kSource]}}};
  const Value x = gather_input(graph, network.input, evaluation.input, sources);
  const Value logits =
      network.label_predictor(builder, network.feature_extractor(builder, x), num_classes);
  evaluation.correct =
      ops::count_correct(graph, logits, ops::gather_labels(graph, evaluation.labels, indices));
  ops::advance_step(graph, evaluation.batches);
  evaluation.draft.reads = {evaluation.correct};
  return evaluation;
}

}  // namespace gradflip
