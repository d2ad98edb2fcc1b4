// The options that every training program shares: --preset, and one for each number of a recipe,
// which the recipe itself describes (models/option_field.h).
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/run/config_file.h"
#include "models/presets.h"
#include "models/recipe.h"

namespace gradflip {

class TrainingArguments {
 public:
  // For recipes of the same methods as `defaults`, whose numbers hold where neither a preset nor
  // the command line gives one.
  explicit TrainingArguments(Recipe defaults = {}) : defaults_(std::move(defaults)) {}
  TrainingArguments(const TrainingArguments&) = delete;
  TrainingArguments& operator=(const TrainingArguments&) = delete;

  // Adds the options to `app`, which calls back into this object while it parses. Their help shows
  // the number of every preset.
  void add_to(CLI::App& app);

  // The preset with the options that were given, whatever their order. Throws UsageError, one line,
  // naming the option, for a value out of range.
  Recipe recipe() const;

  // For add_config_option().
  std::vector<Alternatives> alternatives() const;
  // A preset means all of its numbers, not only its name beside those of a file.
  std::vector<Replacement> replacements() const;

 private:
  void find_presets();
  void add_recipe(CLI::App& app);
  void add_batch(CLI::App& app);
  CLI::Option* add_field(CLI::App& app, const OptionField& field);
  std::string help_of(const OptionField& field) const;
  Recipe with_preset(const std::string& name) const;

  Recipe defaults_;
  // By option, what it is in each preset; empty where an alternative counts.
  std::map<std::string, std::vector<std::string>> of_presets_;
  std::string preset_ = "paper";
  std::vector<std::pair<std::string, OptionValue>> given_;  // by the option's name
};

// Every number by its option's name, the preset first. Of two alternatives, such as epochs and
// steps, the one that does not count is null.
nlohmann::ordered_json config_of(const Recipe& recipe);

}  // namespace gradflip
