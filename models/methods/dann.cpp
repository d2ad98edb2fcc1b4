#include "models/methods/dann.h"

#include "models/methods/dann_options.h"
#include "models/methods/domain_loss.h"
#include "models/methods/label_loss.h"
#include "models/methods/source_only.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/slice_rows.h"

namespace gradflip {
namespace {

// Logits of the source's rows.
Value source_logits(Step& step, Value features) {
  Graph& graph = step.graph();
  if (step.options<DannOptions>().label_predictor_sees == LabelPredictorSees::kAllFeatures) {
    return ops::slice_rows(graph, step.label_predictor(features), kSourceRows);
  }
  return step.label_predictor(ops::slice_rows(graph, features, kSourceRows));
}

void write_dann(Step& step) {
  Graph& graph = step.graph();
  const auto& options = step.options<DannOptions>();
  const Value features = step.feature_extractor(step.samples(kBothRows));

  const LabelLoss labels = label_loss(step, source_logits(step, features));

  const Value lambda = step.schedule(lambda_schedule(options, step.total_steps()));
  const bool weighs_classifier = options.lambda_applies_to == LambdaAppliesTo::kBoth;
  // Where lambda weighs the classifier's own loss, the reversal must not apply it a second time.
  const Value reversal =
      weighs_classifier ? step.schedule({.kind = Schedule::Kind::kConstant, .start = 1.0}) : lambda;
  const Value reversed = ops::grl(graph, features, reversal);
  DomainLoss domains =
      domain_loss(step, step.domain_classifier(reversed, options.domain_logits), options);
  if (weighs_classifier) domains.term.times = lambda;

  step.minimise({labels.term, domains.term});
  step.report({.name = "label_loss", .value = labels.losses});
  report_domain_loss(step, domains);
  step.report({.name = "lambda", .value = lambda, .last = true});
  step.report({.name = "learning_rate", .value = step.learning_rate(), .last = true});
}

std::vector<Stage> dann_stages(const Recipe& recipe) {
  const double pretraining = recipe.of<DannOptions>().pretraining;
  std::vector<Stage> stages;
  if (pretraining > 0.0) {
    stages.push_back({.updates = {{"pretraining", learn_source}}, .share = pretraining});
  }
  stages.push_back({.updates = {{"dann", write_dann}}, .share = 1.0 - pretraining});
  return stages;
}

}  // namespace

Method dann() {
  return {.name = "dann",
          .summary = "features that keep the class and lose the domain, by gradient reversal",
          .options = {method_options<DannOptions>()},
          .stages = dann_stages,
          .suspects = dann_suspects};
}

std::vector<std::string> dann_suspects(const Divergence& divergence, const Recipe& recipe) {
  std::vector<std::string> names = optimizer_suspects(divergence, recipe.training);
  const bool updated = divergence.run_has_updated();
  // The domain loss is shown without its weights, and reaches the label predictor by way of the
  // features alone: only through earlier updates.
  const bool weighed = divergence.parameter.starts_with("feature_extractor.") ||
                       divergence.parameter.starts_with("domain_classifier.");
  if (!updated && !weighed) return names;
  const auto& options = recipe.of<DannOptions>();
  if (options.domain_weight > 0.0) names.emplace_back("--domain-weight");
  const bool reversed = updated || divergence.parameter.starts_with("feature_extractor.") ||
                        options.lambda_applies_to == LambdaAppliesTo::kBoth;
  if (reversed && options.lambda > 0.0) names.emplace_back("--lambda");
  return names;
}

}  // namespace gradflip
