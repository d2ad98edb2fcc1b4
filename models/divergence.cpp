#include "models/divergence.h"

#include <vector>

#include "kernels/require.h"
#include "models/methods/dann_options.h"

namespace gradflip {
namespace {

// The options of which a smaller value may help.
std::vector<std::string> suspects(const Divergence& divergence, const Recipe& recipe,
                                  bool has_domain_classifier) {
  const TrainingOptions& training = recipe.training;
  std::vector<std::string> names;
  // Until a step has been taken the weights are those that the run began with.
  const bool updated = divergence.step > 0;
  if (updated) names.emplace_back("--learning-rate");
  // The first update has no earlier one to go on with.
  if (divergence.step > 1 && training.momentum > 0.0) names.emplace_back("--momentum");
  if (updated && training.weight_decay > 0.0) names.emplace_back("--weight-decay");
  // The domain loss is shown without its weights, and reaches the label predictor by way of the
  // features alone: only through earlier updates.
  const bool weighed = divergence.parameter.starts_with("feature_extractor.") ||
                       divergence.parameter.starts_with("domain_classifier.");
  if (!has_domain_classifier || !(updated || weighed)) return names;
  const auto& dann = recipe.of<DannOptions>();
  if (dann.domain_weight > 0.0) names.emplace_back("--domain-weight");
  const bool reversed = updated || divergence.parameter.starts_with("feature_extractor.") ||
                        dann.lambda_applies_to == LambdaAppliesTo::kBoth;
  if (reversed && dann.lambda > 0.0) names.emplace_back("--lambda");
  return names;
}

std::string advice(const std::vector<std::string>& names) {
  if (names.empty()) {
    return "nothing has been learned yet: check the weights that the run began with";
  }
  std::string text = "try a smaller ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

}  // namespace

std::string message_of(const Divergence& divergence, const Recipe& recipe,
                       bool has_domain_classifier) {
  const std::string of = divergence.parameter.empty() ? "" : " of " + divergence.parameter;
  return message("training diverged at step ", divergence.step, ": the ", divergence.quantity, of,
                 " is not finite; ", advice(suspects(divergence, recipe, has_domain_classifier)));
}

}  // namespace gradflip
