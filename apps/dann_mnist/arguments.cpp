#include "apps/dann_mnist/arguments.h"

#include <algorithm>

#include "apps/common/run/config_file.h"
#include "kernels/require.h"
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

std::vector<Mode> modes_of(const std::string& name) {
  std::vector<Mode> all = {Mode::kSourceOnly, Mode::kDann, Mode::kTargetOnly};
  if (name == "all") return all;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](Mode mode) { return name_of(mode) == name; });
  GRADFLIP_REQUIRE(found != all.end(), "--mode: there is no \"" + name +
                                           "\"; choose one of all, source-only, dann, target-only");
  return {*found};
}

void require_consistent(const DataArguments& data, const std::string& name) {
  const bool has_folders = !data.source.empty() || !data.target.empty() ||
                           !data.target_test.empty() || !data.photos.empty() || !data.blend.empty();
  GRADFLIP_REQUIRE(name.empty() || name == "builtin",
                   "--data: there is no \"" + name +
                       "\"; choose builtin, or name folders with --source and --target");
  GRADFLIP_REQUIRE(name.empty() || !has_folders,
                   "--data builtin: leave out --source, --target, --target-test, --photos and "
                   "--blend, or leave out --data");
  if (!has_folders) return;
  GRADFLIP_REQUIRE(!data.source.empty(), "--source: name the folder of the labelled digits too");
  GRADFLIP_REQUIRE(data.target.empty() != data.photos.empty(),
                   "--source: give one of --target DIR (another digit folder) and --photos DIR "
                   "(photographs to blend its digits with)");
  GRADFLIP_REQUIRE(data.photos.empty() || !data.blend.empty(),
                   "--photos: say how to blend with --blend difference (the paper's formula) or "
                   "--blend invert (as the published files were made)");
  GRADFLIP_REQUIRE(data.blend.empty() || !data.photos.empty(),
                   "--blend: name the photographs with --photos DIR");
  GRADFLIP_REQUIRE(data.target_test.empty() || !data.target.empty(),
                   "--target-test: name the target's training folder with --target DIR");
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
  std::vector<Alternatives> alternatives = TrainingArguments::alternatives();
  for (const char* folder : {"source", "target", "target-test", "photos", "blend"}) {
    alternatives.push_back({"data", folder});
  }
  alternatives.push_back({"target", "photos"});
  alternatives.push_back({"target", "blend"});
  alternatives.push_back({"photos", "target-test"});
  add_config_option(app_, std::move(alternatives));
  app_.footer(kExamples);
}

void CommandLine::add_experiment() {
  app_.add_option("--mode", mode_, "which rows of the table to run [all]")
      ->type_name("all|source-only|dann|target-only")
      ->group("Experiment");
  app_.add_option("--seed", arguments_.first_seed, "of weights and sampling [1]")
      ->check(CLI::Range(std::int64_t{0}, kMaxSeed).description(""))
      ->type_name("INT")
      ->group("Experiment");
  app_.add_option("--seeds", arguments_.seeds, "runs of each mode, with consecutive seeds [1]")
      ->check(CLI::Range(std::int64_t{1}, kMaxSeeds).description(""))
      ->type_name("INT")
      ->group("Experiment");
}

void CommandLine::add_data() {
  const auto add = [this](const char* name, auto& value, const char* help, const char* type) {
    app_.add_option(name, value, help)->type_name(type)->group("Data");
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
  app_.add_option("--threads", arguments_.threads,
                  message("CPU threads; results do not depend on them [", arguments_.threads,
                          ": all of this machine]"))
      ->check(CLI::Range(1, kMaxThreads).description(""))
      ->type_name("INT")
      ->group("Machine");
}

void CommandLine::add_output() {
  app_.add_flag("--json", arguments_.json, "one JSON document on stdout instead of the table")
      ->group("Output");
  app_.add_option("--save", arguments_.save,
                  "final weights as safetensors; several runs add -<mode>-seed<k> to the name")
      ->type_name("FILE")
      ->group("Output");
  app_.add_option("--save-config", arguments_.save_config,
                  "the effective options, as --config reads them")
      ->type_name("FILE")
      ->configurable(false)
      ->group("Output");
}

Arguments CommandLine::arguments() const {
  Arguments arguments = arguments_;
  arguments.modes = modes_of(mode_);
  arguments.training = training_.options();
  require_consistent(arguments.data, data_);
  GRADFLIP_REQUIRE(
      arguments.data.blend.empty() || arguments.data.blend == "difference" ||
          arguments.data.blend == "invert",
      "--blend: there is no \"" + arguments.data.blend + "\"; choose one of difference, invert");
  arguments.training.precision = math_from_name(arguments.precision);
  return arguments;
}

nlohmann::ordered_json config_of(const Arguments& arguments) {
  nlohmann::ordered_json config;
  config["mode"] = arguments.modes.size() > 1 ? "all" : name_of(arguments.modes.front());
  const DataArguments& data = arguments.data;
  if (data.builtin()) config["data"] = "builtin";
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) config[name] = value;
  };
  add("source", data.source.string());
  add("target", data.target.string());
  add("target-test", data.target_test.string());
  add("photos", data.photos.string());
  add("blend", data.blend);
  config.update(config_of(arguments.training));
  config["seed"] = arguments.first_seed;
  config["seeds"] = arguments.seeds;
  config["device"] = arguments.device;
  config["precision"] = arguments.precision;
  config["threads"] = arguments.threads;
  return config;
}

}  // namespace gradflip
