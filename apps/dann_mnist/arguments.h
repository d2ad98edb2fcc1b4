// The command line of dann_mnist.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/report/run_result.h"
#include "apps/common/run/training_arguments.h"
#include "apps/dann_mnist/data_sources.h"
#include "models/recipe.h"

namespace gradflip {

struct Arguments {
  std::vector<std::string> modes;
  DataArguments data;
  Recipe recipe;
  std::uint64_t first_seed = 1;
  std::int64_t seeds = 1;  // runs of each mode, with consecutive seeds
  std::string device = "auto";
  std::string precision = "f32";
  int threads = 1;
  bool json = false;
  bool fail_fast = false;                       // the first run that fails ends the program
  std::optional<std::filesystem::path> config;  // the file that options were read from
  std::optional<std::filesystem::path> save, save_config;
};

class CommandLine {
 public:
  CommandLine();

  CLI::App& app() { return app_; }

  // After app() has parsed. Throws UsageError, one line, for values that do not go together or are
  // out of range.
  Arguments arguments() const;

 private:
  void add_experiment();
  void add_data();
  void add_machine();
  void add_output();

  CLI::App app_;
  TrainingArguments training_;
  Arguments arguments_;
  std::string mode_ = "all";
  std::optional<std::string> data_;
};

// The effective options by name, as --config reads them and JSON shows them: what decides the
// result, not where it goes.
nlohmann::ordered_json config_of(const Arguments& arguments);

}  // namespace gradflip
