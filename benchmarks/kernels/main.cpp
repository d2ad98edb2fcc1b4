// kernel_bench: every kernel at the shapes of the network, beside the libraries that were found.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>

#include "apps/common/cli.h"
#include "apps/common/usage_error.h"
#include "benchmarks/kernels/cases.h"
#include "benchmarks/support/build_info.h"
#include "benchmarks/support/runner.h"
#include "benchmarks/yardsticks/yardsticks.h"
#include "models/options.h"
#include "runtime/atomic_file.h"
#include "runtime/device.h"

namespace gradflip::bench {
namespace {

constexpr const char* kFooter =
    "Google Benchmark's options work too: --benchmark_filter=REGEX picks by\n"
    "operation/shape/batch/math/library, --benchmark_list_tests shows the names,\n"
    "--benchmark_min_time=SECONDS is how long each is timed.\n";

struct Arguments {
  std::string device = "auto";
  std::vector<std::int64_t> batches = {64, 128, 1024, 4096};
  std::vector<std::string> precisions;
  std::string json;
  RunnerOptions runner;
  bool no_check = false;
};

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("--device", arguments.device, "where to compute [auto]")
      ->type_name("auto|cpu|cuda[:N]");
  app.add_option("--batches", arguments.batches, "batch sizes [64,128,1024,4096]")
      ->delimiter(',')
      ->check(CLI::Range(std::int64_t{2}, std::int64_t{1} << 20U).description(""))
      ->type_name("INT,...");
  app.add_option("--precisions", arguments.precisions,
                 "modes of the matrix products [all that the device computes in]")
      ->delimiter(',')
      ->type_name("f32|tf32|bf16|tf32x3,...");
  app.add_flag("--cold", arguments.runner.cold,
               "every call finds its data outside of the last cache that kernels share");
  app.add_flag("--no-check", arguments.no_check, "do not compare with the reference first");
  app.add_option("--json", arguments.json, "also write the rows as JSON, after each of them")
      ->type_name("FILE");
  app.footer(kFooter);
  app.allow_extras();
}

// Google Benchmark's own options are what the parser left over.
void hand_over(const CLI::App& app) {
  std::vector<std::string> words = app.remaining();
  words.insert(words.begin(), app.get_name());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  auto count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (count > 1) {
    throw UsageError(fmt::format("unknown option {}; --help lists what there is", pointers[1]));
  }
}

std::vector<Math> maths_of(const Arguments& arguments, const Context& context) {
  std::vector<Math> maths;
  if (arguments.precisions.empty()) {
    for (const Math math : {Math::kF32, Math::kTf32, Math::kBf16, Math::kTf32x3}) {
      if (computes_in(context, math)) maths.push_back(math);
    }
    return maths;
  }
  for (const std::string& name : arguments.precisions) {
    maths.push_back(as_usage([&] { return math_from_name(name); }));
  }
  return maths;
}

Suite make_suite(const Arguments& arguments, const Context& context) {
  Suite suite{context, dann_shapes(), arguments.batches, maths_of(arguments, context), {}};
  add_conv_block_cases(suite);
  add_conv2d_cases(suite);
  add_gemm_cases(suite);
  add_grl_cases(suite);
  add_loss_cases(suite);
  add_pointwise_cases(suite);
  add_normalisation_cases(suite);
  add_sgd_cases(suite);
  add_optimizer_cases(suite);
  add_gather_cases(suite);
  add_augment_cases(suite);
  add_sampled_conv_block_cases(suite);
  add_heads_cases(suite);
  add_training_update_cases(suite);
  add_openblas_cases(suite);
  add_onednn_cases(suite);
  add_cublas_cases(suite);
  add_cudnn_cases(suite);
  return suite;
}

// What a document says beside its rows.
nlohmann::ordered_json head_of(const Device& device, const Peaks& peaks, bool cold) {
  nlohmann::ordered_json document = to_json(build_info());
  document["device"] = device.name;
  document["peaks"] = to_json(peaks);
  if (std::holds_alternative<Cpu>(device.context)) {
    // CPU kernels run on one core each; a step has all of them.
    document["peaks_of_all_cores"] = to_json(measure_cpu_peaks(default_threads()));
  }
  document["caches"] = cold ? "cold" : "warm";
  return document;
}

void write_json(const std::string& path, nlohmann::ordered_json document,
                const std::vector<Row>& rows) {
  document["rows"] = nlohmann::ordered_json::array();
  for (const Row& row : rows) document["rows"].push_back(to_json(row));
  const std::string text = document.dump(1) + "\n";
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

int run(const CLI::App& app, Arguments& arguments) {
  const std::string unfit = unfit_for_timing(build_info());
  if (!unfit.empty()) throw UsageError(unfit);
  arguments.runner.check = !arguments.no_check;
  hand_over(app);
  const Device device = as_usage([&] { return select_device(arguments.device); });
  const Suite suite = make_suite(arguments, device.context);
  Peaks peaks = std::visit([](auto ctx) { return measure_peaks(ctx); }, device.context);
  raise_to_cublas_peaks(device.context, peaks);
  std::cerr << fmt::format("{}; {}, {}, commit {}\npeaks: {}\n", device.name, build_info().compiler,
                           build_info().type, build_info().commit, to_json(peaks).dump());
  Runner runner(suite, peaks, arguments.runner);
  nlohmann::ordered_json head;
  if (!arguments.json.empty()) head = head_of(device, peaks, arguments.runner.cold);
  const auto keep = [&] {
    if (!arguments.json.empty()) write_json(arguments.json, head, runner.rows());
  };
  keep();
  runner.run(std::cout, keep);
  if (runner.failures() > 0) {
    std::cerr << fmt::format("kernel_bench: {} of {} benchmarks failed; see their rows\n",
                             runner.failures(), runner.rows().size());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace gradflip::bench

int main(int argc, char** argv) {
  CLI::App app("Times the kernels at the shapes of the DANN's layers.", "kernel_bench");
  gradflip::bench::Arguments arguments;
  gradflip::bench::add_options(app, arguments);
  return gradflip::run_app(app, argc, argv, [&] { return gradflip::bench::run(app, arguments); });
}
