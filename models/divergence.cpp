#include "models/divergence.h"

#include "kernels/require.h"

namespace gradflip {
namespace {

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

std::vector<std::string> optimizer_suspects(const Divergence& divergence,
                                            const TrainingOptions& training) {
  std::vector<std::string> names;
  const bool updated = divergence.run_has_updated();
  if (updated) names.emplace_back("--learning-rate");
  // The first update has no earlier one to go on with.
  if (divergence.step > 1 && training.optimizer == OptimizerKind::kSgd && training.momentum > 0.0)
    names.emplace_back("--momentum");
  if (updated && training.weight_decay > 0.0) names.emplace_back("--weight-decay");
  return names;
}

std::string message_of(const Divergence& divergence, const std::vector<std::string>& suspects) {
  const std::string of = divergence.parameter.empty() ? "" : " of " + divergence.parameter;
  const std::string in = divergence.update.empty() ? "" : " in the update " + divergence.update;
  return message("training diverged at step ", divergence.step, ": the ", divergence.quantity, of,
                 in, " is not finite; ", advice(suspects));
}

}  // namespace gradflip
