#include "models/presets.h"

#include <algorithm>
#include <utility>

#include "kernels/require.h"

namespace gradflip {
namespace {

struct Preset {
  std::string name;
  std::vector<std::pair<std::string, OptionValue>> values;
  std::string method = "dann";
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
      // pumpikano/tf-dann: MNIST-DANN.ipynb.
      {"tf-dann",
       {{"network", "tf-dann"},
        {"source-ink", "full"},
        {"steps", std::int64_t{8600}},
        {"source-batch", std::int64_t{32}},
        {"target-batch", std::int64_t{32}},
        {"domain-logits", std::int64_t{2}},
        {"domain-reduction", "mean"}}},
      // jvanvugt/pytorch-domain-adaptation: train_source.py, then revgrad.py, whose 15 epochs are
      // of 313 steps. How long the first trains depends on the run; here it is five epochs.
      {"jvanvugt",
       {{"network", "jvanvugt"},
        {"pixels", "unit"},
        {"steps", std::int64_t{14070}},
        {"pretraining", 2.0 / 3.0},
        {"source-batch", std::int64_t{32}},
        {"target-batch", std::int64_t{32}},
        {"optimizer", "adam"},
        {"learning-rate", 1e-3},
        {"learning-rate-schedule", "constant"},
        {"lambda-schedule", "constant"},
        {"domain-reduction", "mean"}}},
      // The same, adda.py: 5 epochs of 500 steps behind train_source.py, each with one update of the
      // discriminator and ten of the target's features.
      {"jvanvugt-adda",
       {{"network", "jvanvugt"},
        {"pixels", "unit"},
        {"steps", std::int64_t{11875}},
        {"adda-pretraining", 9375.0 / 11875.0},
        {"adda-learning-rate", 1e-3},
        {"adda-beta1", 0.9},
        {"adda-extractor-updates", std::int64_t{10}},
        {"source-batch", std::int64_t{32}},
        {"target-batch", std::int64_t{32}},
        {"optimizer", "adam"},
        {"learning-rate", 1e-3},
        {"learning-rate-schedule", "constant"}},
       "adda"},
      // fungtion/DANN: main.py, model.py. Both domains go through the whole network, one after the
      // other.
      {"fungtion",
       {{"network", "fungtion"},
        {"pixels", "fungtion"},
        {"epochs", std::int64_t{100}},
        {"source-batch", std::int64_t{128}},
        {"target-batch", std::int64_t{128}},
        {"optimizer", "adam"},
        {"learning-rate", 1e-3},
        {"learning-rate-schedule", "constant"},
        {"batch-norm", "separate"},
        {"label-predictor-sees", "both"},
        {"domain-logits", std::int64_t{2}}}},
      // Our own: what digits look like changes, not their shape; docs/recipes.md has the reasons.
      {"digits",
       {{"network", "digits-m"},
        {"channel-dropout", 0.5},
        {"pixels", "half"},
        {"augment",
         "2 of (contrast=0.9, brightness=0.9, channels=0.5, invert, solarize, posterize=4, "
         "blur=1)"},
        {"optimizer", "adam"},
        {"learning-rate", 1e-3},
        {"learning-rate-schedule", "cosine"},
        {"batch-norm", "per-domain"},
        {"label-predictor-sees", "both"},
        {"domain-weight", 3.0}}},
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
  recipe.training.method = chosen.method;
  const std::vector<OptionField> fields = recipe.fields();
  for (const auto& [option, value] : chosen.values) {
    const auto field =
        std::find_if(fields.begin(), fields.end(),
                     [&name = option](const OptionField& each) { return each.name() == name; });
    GRADFLIP_REQUIRE(field != fields.end(),
                     message("preset ", name, ": there is no option called --", option));
    field->set(value);
  }
}

Recipe preset(const std::string& name) {
  Recipe recipe;
  apply_preset(recipe, name);
  return recipe;
}

}  // namespace gradflip
