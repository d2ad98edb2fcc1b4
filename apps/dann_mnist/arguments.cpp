#include "apps/dann_mnist/arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/common/number_option.h"
#include "apps/common/report/paper_rows.h"
#include "apps/common/run/config_file.h"
#include "apps/common/shown.h"
#include "apps/common/usage_error.h"
#include "apps/dann_mnist/modes.h"
#include "runtime/device.h"

namespace gradflip {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  dann_mnist                                     built-in digits, all three modes\n"
    "  dann_mnist --source mnist --photos bsds500 --blend difference --seeds 5\n"
    "  dann_mnist --source mnist --target mnist_m --mode dann --gamma 5 --json\n"
    "  dann_mnist --epochs 2 --save model.safetensors\n";

constexpr std::int64_t kMaxSeeds = 10'000;
// Up to here every JSON reader keeps an integer exact.
constexpr std::int64_t kMaxSeed = (std::int64_t{1} << 53) - 1;
constexpr int kMaxThreads = 1024;

void require_usage(bool holds, const std::string& otherwise) {
  if (!holds) throw UsageError(otherwise);
}

void require_consistent(const DataArguments& data, const std::optional<std::string>& name) {
  const bool has_folders =
      data.source || data.target || data.target_test || data.photos || data.blend;
  if (name) {
    require_usage(*name == "builtin",
                  "--data: there is no " + shown(*name) +
                      "; choose builtin, or name folders with --source and --target");
    require_usage(!has_folders,
                  "--data builtin: leave out --source, --target, --target-test, --photos and "
                  "--blend, or leave out --data");
  }
  if (!has_folders) return;
  require_usage(data.source.has_value(), "--source: name the folder of the labelled digits too");
  require_usage(data.target.has_value() != data.photos.has_value(),
                "--source: give one of --target DIR (another digit folder) and --photos DIR "
                "(photographs to blend its digits with)");
  require_usage(!data.photos || data.blend,
                "--photos: say how to blend with --blend difference (the paper's formula) or "
                "--blend invert (as the published files were made)");
  require_usage(!data.blend || data.photos, "--blend: name the photographs with --photos DIR");
  require_usage(!data.target_test || data.target,
                "--target-test: name the target's training folder with --target DIR");
  require_usage(!data.blend || *data.blend == "difference" || *data.blend == "invert",
                "--blend: there is no " + shown(data.blend.value_or("")) +
                    "; choose one of difference, invert");
}

// A line for each mode.
std::string mode_list() {
  std::string text;
  for (const std::string& mode : mode_names()) {
    text += fmt::format("\n{}: {}", mode,
                        mode == kTargetOnly ? "learn the target's labels: the upper bound"
                                            : method_of(mode).summary);
  }
  return text;
}

// An option whose value is words, and which need not be given.
template <typename Text>
CLI::Option* add_text(CLI::App& app, const std::string& name, std::optional<Text>& value,
                      const std::string& help) {
  return app.add_option_function<std::string>(
      name, [&value](const std::string& text) { value = text; }, help);
}

}  // namespace

CommandLine::CommandLine()
    : app_(
          "Domain-adversarial training on digits: source-only, DANN and train-on-target, as the "
          "table of Ganin et al. (JMLR 2016).",
          "dann_mnist") {
  app_.get_formatter()->column_width(32);
  add_experiment();
  add_data();
  training_.add_to(app_);
  add_machine();
  add_output();
  std::vector<Alternatives> alternatives = training_.alternatives();
  for (const char* folder : {"source", "target", "target-test", "photos", "blend"}) {
    alternatives.push_back({"data", folder});
  }
  alternatives.push_back({"target", "photos"});
  alternatives.push_back({"target", "blend"});
  alternatives.push_back({"photos", "target-test"});
  add_config_option(app_, std::move(alternatives), training_.replacements());
  app_.footer(kExamples);
}

void CommandLine::add_experiment() {
  app_.add_option("--mode", mode_,
                  fmt::format("rows of the table, one or several with commas; all: source-only, "
                              "the preset's method (of most presets dann) and target-only [all]{}",
                              mode_list()))
      ->type_name("all|NAME,...")
      ->group("Experiment");
  add_whole_number(app_, "--seed", {0, kMaxSeed}, arguments_.first_seed,
                   "of weights and sampling [1]")
      ->group("Experiment");
  add_whole_number(app_, "--seeds", {1, kMaxSeeds}, arguments_.seeds,
                   "runs of each mode, with consecutive seeds [1]")
      ->group("Experiment");
  app_.add_flag("--fail-fast", arguments_.fail_fast,
                "the first run that fails ends the program; by default the others go on")
      ->group("Experiment");
}

void CommandLine::add_data() {
  const auto add = [this](const char* name, auto& value, const char* help, const char* type) {
    add_text(app_, name, value, help)->type_name(type)->group("Data");
  };
  add("--data", data_, "builtin: drawn digits, no files needed [builtin]", "builtin");
  add("--source", arguments_.data.source, "digit folder with labels, to learn from", "DIR");
  add("--target", arguments_.data.target, "digit folder of the other domain", "DIR");
  add("--target-test", arguments_.data.target_test,
      "digit folder to measure on, if --target has no test part", "DIR");
  add("--photos", arguments_.data.photos,
      "photographs: the target is the source's digits blended with them (MNIST-M)", "DIR");
  add("--blend", arguments_.data.blend, "how to blend: |photo - digit|, or 255 - photo under ink",
      "difference|invert");
}

void CommandLine::add_machine() {
  app_.add_option("--device", arguments_.device, "where to compute [auto]")
      ->type_name("auto|cpu|cuda[:N]")
      ->group("Machine");
  app_.add_option("--precision", arguments_.precision,
                  "how products may be rounded: bf16 on processors with such products, "
                  "tf32 and bf16 on a GPU's tensor cores; tf32x3 is nearly f32, on tensor cores "
                  "[f32]")
      ->type_name("f32|tf32|bf16|tf32x3")
      ->group("Machine");
  arguments_.threads = std::min(default_threads(), kMaxThreads);
  add_whole_number(app_, "--threads", {1, kMaxThreads}, arguments_.threads,
                   fmt::format("CPU threads; results do not depend on them [{}: all of this "
                               "machine]",
                               arguments_.threads))
      ->group("Machine");
}

void CommandLine::add_output() {
  app_.add_flag("--json", arguments_.json, "one JSON document on stdout instead of the table")
      ->group("Output");
  add_text(app_, "--save", arguments_.save,
           "final weights as safetensors; several runs add -<mode>-seed<k> to the name")
      ->type_name("FILE")
      ->group("Output");
  add_text(app_, "--save-config", arguments_.save_config,
           "the effective options, as --config reads them")
      ->type_name("FILE")
      ->configurable(false)
      ->group("Output");
}

Arguments CommandLine::arguments() const {
  Arguments arguments = arguments_;
  arguments.recipe = training_.recipe();
  arguments.data.source_ink = arguments.recipe.training.source_ink;
  arguments.modes = modes_of(mode_, arguments.recipe.training.method);
  require_consistent(arguments.data, data_);
  require_usage(is_device_name(arguments.device), "--device: there is no " +
                                                      shown(arguments.device) +
                                                      "; choose one of auto, cpu, cuda, cuda:N");
  arguments.recipe.training.precision =
      as_usage([&] { return math_from_name(arguments.precision); });
  const std::uint64_t last_seed =
      arguments.first_seed + static_cast<std::uint64_t>(arguments.seeds - 1);
  require_usage(last_seed <= static_cast<std::uint64_t>(kMaxSeed),
                fmt::format("--seeds: the last seed would be {}, and {} is the largest", last_seed,
                            kMaxSeed));
  const CLI::Option* config = app_.get_config_ptr();
  if (config->count() > 0) arguments.config = config->as<std::string>();
  return arguments;
}

nlohmann::ordered_json config_of(const Arguments& arguments) {
  nlohmann::ordered_json config;
  config["mode"] = text_of(arguments.modes, arguments.recipe.training.method);
  const DataArguments& data = arguments.data;
  if (data.builtin()) config["data"] = "builtin";
  const auto add = [&](const char* name, const std::optional<std::filesystem::path>& folder) {
    if (folder) config[name] = folder->string();
  };
  add("source", data.source);
  add("target", data.target);
  add("target-test", data.target_test);
  add("photos", data.photos);
  if (data.blend) config["blend"] = *data.blend;
  config.update(config_of(arguments.recipe));
  config["seed"] = arguments.first_seed;
  config["seeds"] = arguments.seeds;
  config["device"] = arguments.device;
  config["precision"] = arguments.precision;
  config["threads"] = arguments.threads;
  return config;
}

}  // namespace gradflip
