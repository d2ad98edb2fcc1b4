#include "apps/common/run/training_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <variant>

#include "apps/common/number_option.h"
#include "apps/common/usage_error.h"

namespace gradflip {
namespace {

using Json = nlohmann::ordered_json;

bool is_alternative(const OptionField& field) { return !field.instead_of.empty(); }

Json json_of(const OptionValue& value) {
  return std::visit([](const auto& known) -> Json { return known; }, value);
}

std::string text_of(const OptionValue& value) {
  const Json json = json_of(value);
  return json.is_string() ? json.get<std::string>() : json.dump();
}

// 0 says that an alternative is not given, so a user must not be able to say it. The other ranges
// are asked when the recipe is complete.
WholeRange range_of(const OptionField& field) {
  const auto& whole = std::get<WholeOption>(field.kind);
  return is_alternative(field) ? WholeRange{.low = whole.low, .high = whole.high} : WholeRange{};
}

}  // namespace

void TrainingArguments::add_to(CLI::App& app) {
  app.add_option("--preset", preset_,
                 "recipe whose numbers the other options replace; given here, it replaces all "
                 "numbers of the recipe in a --config file [paper]")
      ->type_name(fmt::format("{}", fmt::join(preset_names(), "|")))
      ->group("Recipe");
  add_recipe(app);
  add_batch(app);
}

void TrainingArguments::find_presets() {
  for (const std::string& name : preset_names()) {
    Recipe recipe = with_preset(name);
    for (const OptionField& field : recipe.fields()) {
      of_presets_[field.name()].push_back(field.given() ? text_of(field.value()) : "");
    }
  }
}

void TrainingArguments::add_recipe(CLI::App& app) {
  find_presets();
  Recipe recipe = defaults_;
  const std::vector<OptionField> fields = recipe.fields();
  for (const OptionField& field : fields) add_field(app, field)->group(field.text.group);
  for (const OptionField& field : fields) {
    if (!is_alternative(field)) continue;
    app.get_option("--" + field.name())->excludes("--" + field.instead_of);
  }
}

CLI::Option* TrainingArguments::add_field(CLI::App& app, const OptionField& field) {
  const std::string option = "--" + field.name();
  const auto store = [this, name = field.name()](const auto& value) {
    given_.emplace_back(name, value);
  };
  if (std::holds_alternative<WholeOption>(field.kind)) {
    return add_whole_number(app, option, range_of(field), store, help_of(field));
  }
  if (std::holds_alternative<RealOption>(field.kind)) {
    return add_real_number(app, option, store, help_of(field));
  }
  if (const auto* text = std::get_if<TextOption>(&field.kind)) {
    return app.add_option_function<std::string>(option, store, help_of(field))
        ->type_name(text->notation);
  }
  const auto& choice = std::get<ChoiceOption>(field.kind);
  return app.add_option_function<std::string>(option, store, help_of(field))
      ->type_name(fmt::format("{}", fmt::join(choice.names, "|")));
}

// With "[10]" where all presets agree, else with those that differ behind it: "[10; deepda 1]". Of
// an alternative that the first preset does not have: "[tf-dann 8600]", or nothing.
std::string TrainingArguments::help_of(const OptionField& field) const {
  const std::vector<std::string>& values = of_presets_.at(field.name());
  const std::string& usual = values.front();
  std::string others;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] == usual) continue;
    others += fmt::format("{}{} {}", others.empty() ? "" : ", ", preset_names()[i], values[i]);
  }
  if (usual.empty() && others.empty()) return field.text.help;
  return fmt::format("{} [{}{}{}]", field.text.help, usual,
                     usual.empty() || others.empty() ? "" : "; ", others);
}

void TrainingArguments::add_batch(CLI::App& app) {
  const auto store = [this](std::int64_t images) {
    if (images <= 0 || images % 2 != 0) {
      throw CLI::ValidationError("--batch", fmt::format("{} is no even number above 0; half of it "
                                                        "comes from each domain",
                                                        images));
    }
    for (const char* domain : {"source-batch", "target-batch"}) {
      given_.emplace_back(domain, images / 2);
    }
  };
  add_whole_number(app, "--batch", {}, store, "images of both domains per step, half from each")
      ->group(app.get_option("--source-batch")->get_group())
      ->excludes("--source-batch")
      ->excludes("--target-batch");
}

Recipe TrainingArguments::with_preset(const std::string& name) const {
  Recipe recipe = defaults_;
  apply_preset(recipe, name);
  return recipe;
}

Recipe TrainingArguments::recipe() const {
  return as_usage([this] {
    Recipe recipe = with_preset(preset_);
    // What is given takes the place of a preset's alternative to it.
    for (const OptionField& field : recipe.fields()) {
      const auto is_given = [&](const auto& given) { return given.first == field.instead_of; };
      if (is_alternative(field) && std::any_of(given_.begin(), given_.end(), is_given)) {
        field.set(std::int64_t{0});
      }
    }
    for (const auto& [name, value] : given_) recipe.field(name).set(value);
    require_valid(recipe);
    return recipe;
  });
}

std::vector<Alternatives> TrainingArguments::alternatives() const {
  std::vector<Alternatives> all = {{"batch", "source-batch"}, {"batch", "target-batch"}};
  Recipe recipe = defaults_;
  for (const OptionField& field : recipe.fields()) {
    if (is_alternative(field)) all.push_back({field.instead_of, field.name()});
  }
  return all;
}

std::vector<Replacement> TrainingArguments::replacements() const {
  Replacement by_preset = {"preset", {"batch"}};
  Recipe recipe = defaults_;
  for (const OptionField& field : recipe.fields()) by_preset.in_file.push_back(field.name());
  return {by_preset};
}

nlohmann::ordered_json config_of(const Recipe& recipe) {
  Json config = {{"preset", recipe.training.preset}};
  Recipe copy = recipe;  // whose fields may write
  const std::vector<OptionField> fields = copy.fields();
  for (const OptionField& field : fields) config[field.name()] = json_of(field.value());
  for (const OptionField& field : fields) {
    if (!is_alternative(field)) continue;
    config[field.given() ? field.instead_of : field.name()] = nullptr;
  }
  return config;
}

}  // namespace gradflip
