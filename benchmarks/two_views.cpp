#include "benchmarks/two_views.h"

#include <array>

#include "models/methods/dann_options.h"
#include "models/methods/label_loss.h"
#include "runtime/ops/as_segment.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/slice_rows.h"

namespace gradflip::bench {
namespace {

// The rows of the second view.
struct SecondRows {
  Rows source, target;
};

Value both_views(Step& step, const SecondRows& second) {
  Graph& graph = step.graph();
  const TrainingOptions& training = step.training();
  const Value first = step.samples(kBothRows);
  const Value source = step.view(kSourceRows, source_augmentation(training), 1);
  const Value target = step.view(kTargetRows, target_augmentation(training), 1);
  return ops::concat_rows(graph, std::array{first, ops::as_segment(graph, source, second.source),
                                            ops::as_segment(graph, target, second.target)});
}

// The sum of the domains' mean losses, each over both views.
Term domain_term(Step& step, Value domain_logits, const SecondRows& second) {
  Graph& graph = step.graph();
  const DomainWeights of_domain = domain_weights(step.options<DannOptions>(), step.training());
  std::vector<ops::SegmentNumber> domains;
  ops::RowWeights weights{.over = ops::Over::kSegments};
  for (int segment = 0; segment < kMaxSegments; ++segment) {
    const Rows rows = segment_rows(segment);
    if (!graph.type(domain_logits).rows.contains(rows)) continue;
    const bool is_target = rows == kTargetRows || rows == second.target;
    domains.push_back({segment, is_target ? 1 : 0});
    weights.weights[static_cast<std::size_t>(segment)] =
        (is_target ? of_domain.target : of_domain.source) / 2;
  }
  const Value losses =
      ops::bce_with_logits(graph, domain_logits, ops::constant_rows(graph, domains));
  return {"domain loss", ops::sum_rows(graph, losses, weights)};
}

void write_two_views(Step& step) {
  Graph& graph = step.graph();
  const SecondRows second{step.further_rows(kSource), step.further_rows(kTarget)};
  const Value features = step.feature_extractor(both_views(step, second));

  const Value source_features =
      ops::concat_rows(graph, std::array{ops::slice_rows(graph, features, kSourceRows),
                                         ops::slice_rows(graph, features, second.source)});
  const Value logits = step.label_predictor(source_features);
  LabelLoss labels = label_loss(step, ops::slice_rows(graph, logits, kSourceRows));
  LabelLoss again = label_loss(
      step, ops::as_segment(graph, ops::slice_rows(graph, logits, second.source), kSourceRows));
  labels.term.weight = again.term.weight = 0.5F;
  again.term.name = "label loss of the second view";

  const Value lambda =
      step.schedule(lambda_schedule(step.options<DannOptions>(), step.total_steps()));
  const Value domain_logits = step.domain_classifier(ops::grl(graph, features, lambda), 1);

  step.minimise({labels.term, again.term, domain_term(step, domain_logits, second)});
  step.report({.name = "label_loss", .value = labels.losses});
}

}  // namespace

Method dann_of_two_views() {
  return {.name = "dann-two-views",
          .summary = "a DANN that sees two views of each picture",
          .options = {method_options<DannOptions>()},
          .stages = [](const Recipe&) {
            return std::vector<Stage>{{.updates = {{"dann-two-views", write_two_views}}}};
          }};
}

}  // namespace gradflip::bench
