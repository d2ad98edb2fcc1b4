// The options that every training program shares: --preset, and one for each number of a recipe.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/common/run/config_file.h"
#include "models/options.h"

namespace gradflip {

class TrainingArguments {
 public:
  TrainingArguments() = default;
  TrainingArguments(const TrainingArguments&) = delete;
  TrainingArguments& operator=(const TrainingArguments&) = delete;

  // Adds the options to `app`, which calls back into this object while it parses. Their help shows
  // the number of every preset.
  void add_to(CLI::App& app);

  // The preset with the options that were given, whatever their order. Throws UsageError, one line,
  // naming the option, for a value out of range.
  TrainingOptions options() const;

  // For add_config_option().
  static std::vector<Alternatives> alternatives();
  // A preset means all of its numbers, not only its name beside those of a file.
  static std::vector<Replacement> replacements();

 private:
  void add_recipe(CLI::App& app);
  void add_batch(CLI::App& app);

  std::string preset_ = "paper";
  std::vector<std::function<void(TrainingOptions&)>> given_;
};

// Every number by its option's name, the preset first. Of epochs and steps the one that does not
// count is null.
nlohmann::ordered_json config_of(const TrainingOptions& options);

}  // namespace gradflip
