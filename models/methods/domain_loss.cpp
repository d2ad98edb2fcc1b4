#include "models/methods/domain_loss.h"

#include <array>

#include "models/data/domain_data.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/softmax_cross_entropy.h"

namespace gradflip {

DomainLoss domain_loss(Step& step, Value domain_logits, const DannOptions& options,
                       DomainLabels domain_labels) {
  Graph& graph = step.graph();
  const bool swapped = domain_labels == DomainLabels::kSwapped;
  const std::array<ops::SegmentNumber, 2> domains{
      {{kSource, swapped ? 1 : 0}, {kTarget, swapped ? 0 : 1}}};
  const auto smoothing = static_cast<float>(options.domain_label_smoothing);
  DomainLoss loss;
  Value losses;  // that the classifier makes small
  if (graph.type(domain_logits).shape[0] == 1) {
    const Value labels = ops::constant_rows(graph, domains);
    const auto smoothed = ops::smoothed_bce_with_logits(graph, domain_logits, labels, smoothing);
    losses = smoothed.losses;
    loss.losses = smoothed.plain;
    loss.correct = ops::count_correct_binary(graph, domain_logits, labels);
  } else {
    const Value labels = ops::constant_labels(graph, domains);
    losses = ops::softmax_cross_entropy(graph, domain_logits, labels, smoothing);
    // Of what is smoothed the kernels of heads show the smoothed loss: it stays outside.
    loss.losses =
        smoothing == 0.0F ? losses : ops::softmax_cross_entropy(graph, domain_logits, labels);
    loss.correct = ops::count_correct(graph, domain_logits, labels);
  }
  const auto [source, target] = domain_weights(options, step.training());
  ops::RowWeights weights{.over = ops::Over::kSegments};
  weights.weights[kSource] = source;
  weights.weights[kTarget] = target;
  loss.term = {"domain loss", ops::sum_rows(graph, losses, weights)};
  return loss;
}

void report_domain_loss(Step& step, const DomainLoss& loss) {
  step.report({.name = "domain_loss", .value = loss.losses});
  step.report({.name = "domain_accuracy", .value = loss.correct, .per = kBothRows});
}

}  // namespace gradflip
