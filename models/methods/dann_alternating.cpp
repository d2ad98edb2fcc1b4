#include "models/methods/dann_alternating.h"

#include "models/methods/dann.h"
#include "models/methods/dann_options.h"
#include "models/methods/domain_loss.h"
#include "models/methods/label_loss.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/stop_gradient.h"

namespace gradflip {
namespace {

Value lambda_of(Step& step) {
  return step.schedule(lambda_schedule(step.options<DannOptions>(), step.total_steps()));
}

void write_classifier_update(Step& step) {
  const auto& options = step.options<DannOptions>();
  const Value features =
      ops::stop_gradient(step.graph(), step.feature_extractor(step.samples(kBothRows)));
  DomainLoss domains =
      domain_loss(step, step.domain_classifier(features, options.domain_logits), options);
  if (options.lambda_applies_to == LambdaAppliesTo::kBoth) domains.term.times = lambda_of(step);

  step.minimise({domains.term}, {"domain_classifier"});
  report_domain_loss(step, domains);
}

// What the features descend on of the domain classifier.
Term confusion_of(Step& step, Value domain_logits) {
  const bool swapped = step.options<AlternatingOptions>().loss == AlternatingLoss::kSwapped;
  Term term = domain_loss(step, domain_logits, step.options<DannOptions>(),
                          swapped ? DomainLabels::kSwapped : DomainLabels::kTrue)
                  .term;
  if (!swapped) term.weight = -term.weight;
  term.times = lambda_of(step);
  return term;
}

void write_feature_update(Step& step) {
  Graph& graph = step.graph();
  const auto& options = step.options<DannOptions>();
  const Value features = step.feature_extractor(step.samples(kBothRows));

  const Value source_features = ops::slice_rows(graph, features, kSourceRows);
  const LabelLoss labels = label_loss(step, step.label_predictor(source_features));

  const Term confusion =
      confusion_of(step, step.domain_classifier(features, options.domain_logits));

  step.minimise({labels.term, confusion}, {"feature_extractor", "label_predictor"});
  step.report({.name = "label_loss", .value = labels.losses});
  step.report({.name = "lambda", .value = confusion.times, .last = true});
  step.report({.name = "learning_rate", .value = step.learning_rate(), .last = true});
}

}  // namespace

std::vector<OptionField> fields(AlternatingOptions& o) {
  return {choice_option(
      {"alternating-loss", "Domain adversary",
       "dann-alternating's features descend on the domain loss with swapped labels, or negated"},
      o.loss, {{AlternatingLoss::kSwapped, "swapped"}, {AlternatingLoss::kNegated, "negated"}})};
}

Method dann_alternating() {
  return {.name = "dann-alternating",
          .summary = "a DANN by two updates in turn, without reversal",
          .options = {method_options<DannOptions>(), method_options<AlternatingOptions>()},
          .stages =
              [](const Recipe&) {
                return std::vector<Stage>{{.updates = {{"classifier", write_classifier_update},
                                                       {"features", write_feature_update}}}};
              },
          .suspects = dann_suspects};
}

}  // namespace gradflip
