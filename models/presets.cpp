#include "models/presets.h"

#include <utility>

namespace gradflip {
namespace {

struct Preset {
  std::string name;
  std::vector<std::pair<std::string, OptionValue>> values;
};

const std::vector<Preset>& presets() {
  static const std::vector<Preset> kPresets = {
      // Ganin et al., JMLR 17 (2016): the defaults.
      {"paper", {}},
      // DeepDA's DANN (jindongwang/transferlearning).
      {"deepda",
       {{"learning-rate", 0.01},
        {"learning-rate-schedule", "step"},
        {"decay-gamma", 1e-3},
        {"decay-power", 0.75},
        {"weight-decay", 1e-3},
        {"label-smoothing", 0.1},
        {"gamma", 1.0},
        {"domain-weight", 1.0},
        {"domain-reduction", "half"}}},
  };
  return kPresets;
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.push_back(preset.name);
  return names;
}

void apply_preset(Recipe& recipe, const std::string& name) {
  const Preset& chosen = presets()[index_of_choice(preset_names(), "--preset", name)];
  recipe.training.preset = chosen.name;
  for (const auto& [option, value] : chosen.values) recipe.field(option).set(value);
}

Recipe preset(const std::string& name) {
  Recipe recipe;
  apply_preset(recipe, name);
  return recipe;
}

}  // namespace gradflip
