// step_bench: whole training steps, or inference, in images per second.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "apps/common/cli.h"
#include "apps/common/run/training_arguments.h"
#include "apps/common/usage_error.h"
#include "benchmarks/profile.h"
#include "benchmarks/step_cost.h"
#include "benchmarks/support/build_info.h"
#include "benchmarks/support/paper_network.h"
#include "benchmarks/support/simd_limit.h"
#include "benchmarks/two_views.h"
#include "benchmarks/workloads.h"
#include "models/method_list.h"
#include "models/methods/dann.h"
#include "models/methods/source_only.h"
#include "models/options.h"
#include "runtime/device.h"

namespace gradflip::bench {
namespace {

constexpr const char* kFooter =
    "Steps are timed where a run begins: epochs, steps and pretraining do not matter, and\n"
    "whatever the recipe says, the learning rate is constant and lambda is .1.\n\n"
    "Examples:\n"
    "  step_bench --mode dann --batch 128 --json\n"
    "  step_bench --mode source-only --threads 1 --profile\n"
    "  step_bench --preset fungtion --profile\n"
    "  step_bench --mode dann-two-views --network digits-m --augment strong --optimizer adam\n"
    "  step_bench --mode both --batch 4096 --device cuda --precision tf32\n"
    "  step_bench --cost h200 --batch 128 --precision tf32\n"
    "  step_bench --cost h200 --mode adda\n";

constexpr const char* kTwoViews = "dann-two-views";

struct Arguments {
  std::string mode = "dann";
  std::string precision = "f32";
  std::string device = "auto";
  std::string simd = "best";
  std::string cost;  // of which GPU; empty: time steps instead
  WorkloadOptions workload;
  double seconds = 3.0;
  bool json = false;
  bool profile = false;

  const TrainingOptions& training() const { return workload.recipe.training; }
};

void add_options(CLI::App& app, Arguments& arguments) {
  WorkloadOptions& workload = arguments.workload;
  app.add_option("--mode", arguments.mode,
                 "what to time; dann-two-views: a DANN of two views of each picture; both: a DANN "
                 "and source-only in turns, and their ratio; with --cost: any method of "
                 "dann_mnist, too [dann]")
      ->type_name("dann|dann-two-views|source-only|both|infer|NAME");
  workload.threads = default_threads();
  app.add_option("--threads", workload.threads, "CPU threads [all of this machine]")
      ->check(CLI::Range(1, 1024).description(""))
      ->type_name("INT");
  app.add_option("--precision", arguments.precision, "of matrix products and convolutions [f32]")
      ->type_name("f32|tf32|bf16|tf32x3");
  app.add_option("--device", arguments.device, "where to compute [auto]")
      ->type_name("auto|cpu|cuda[:N]");
  app.add_option("--simd", arguments.simd,
                 "the CPU kernels' instruction set, to see what it is worth [best]")
      ->type_name("best|avx2|sse4|...");
  app.add_option("--seconds", arguments.seconds, "to measure for, after warming up [3]")
      ->check(CLI::Range(0.1, 3600.0).description(""))
      ->type_name("SECONDS");
  app.add_flag("--json", arguments.json, "one JSON document on stdout instead of a line");
  app.add_option("--cost", arguments.cost,
                 "instead of timing: what a training step costs such a GPU at the least, kernel by "
                 "kernel, on paper")
      ->type_name("h100|h200");
  app.add_flag("--profile", arguments.profile, "where a step's time goes, node by node");
  app.footer(kFooter);
}

struct Named {
  std::string name;
  std::unique_ptr<Workload> workload;
};

std::vector<Named> workloads_of(const Arguments& arguments, const Device& device) {
  std::vector<Named> workloads;
  const WorkloadOptions& options = arguments.workload;
  const bool both = arguments.mode == "both";
  for (const Method& one : {dann(), dann_of_two_views(), source_only()}) {
    if (arguments.mode == one.name || (both && one.name != kTwoViews)) {
      workloads.push_back({one.name, training_workload(one, options, device)});
    }
  }
  if (arguments.mode == "infer") {
    workloads.push_back({arguments.mode, inference_workload(options, device)});
  }
  if (workloads.empty()) {
    throw UsageError("--mode: there is no \"" + arguments.mode +
                     "\"; choose one of dann, dann-two-views, source-only, both, infer");
  }
  return workloads;
}

// Of a step by its graph, for each image.
double flops_of(const Workload& workload) {
  const std::vector<std::int64_t> rows = workload.rows();
  double flops = 0.0;
  for (const Node& node : workload.graph().nodes()) {
    flops += cost_of(workload.graph(), node, rows).flops;
  }
  return flops / static_cast<double>(workload.images_per_step());
}

nlohmann::ordered_json row(const Named& named, const Throughput& throughput) {
  return {
      {"mode", named.name},
      {"images_per_second", throughput.median},
      {"images_per_second_min", throughput.min},
      {"images_per_second_max", throughput.max},
      {"step_us", 1e6 * static_cast<double>(named.workload->images_per_step()) / throughput.median},
      {"gflops", flops_of(*named.workload) * throughput.median * 1e-9},
      {"windows", throughput.windows}};
}

nlohmann::ordered_json document(const Arguments& arguments, const Device& device) {
  nlohmann::ordered_json json = to_json(build_info());
  json["device"] = device.name;
  json["preset"] = arguments.training().preset;
  json["batch"] = pictures_per_step(arguments.workload.recipe);
  json["threads"] = arguments.workload.threads;
  json["precision"] = arguments.precision;
  json["simd"] = arguments.simd;
  json["recipe"] = config_of(arguments.workload.recipe);
  return json;
}

// Beside the rates, or in place of them: to `json` if that is wanted, else to stdout.
void print_profiles(Arguments arguments, const Device& device, nlohmann::ordered_json& json) {
  const Peaks peaks = std::visit([](auto ctx) { return measure_peaks(ctx); }, device.context);
  arguments.workload.still = !std::holds_alternative<Cpu>(device.context);  // see profile.h
  for (const Named& named : workloads_of(arguments, device)) {
    const Profile measured = profile(*named.workload, device.context, arguments.workload.threads,
                                     arguments.training().precision, peaks, arguments.seconds);
    json["profiles"][named.name] = to_json(measured);
    if (!arguments.json) std::cout << named.name << ":\n" << table(measured);
  }
}

int print_cost(const Arguments& arguments) {
  const Method costed = arguments.mode == kTwoViews
                            ? dann_of_two_views()
                            : as_usage([&] { return method(arguments.mode, "--mode"); });
  const DeviceModel model = device_model(arguments.cost);
  const StepCost cost = step_cost(arguments.workload.recipe, costed, model);
  if (arguments.json) {
    nlohmann::ordered_json json{{"gpu", model.name},
                                {"mode", arguments.mode},
                                {"batch", pictures_per_step(arguments.workload.recipe)},
                                {"precision", arguments.precision}};
    json.update(to_json(cost));
    std::cout << json.dump(2) << '\n';
  } else {
    std::cout << fmt::format("{}, batch {}, {}, on an {}, on paper:\n", arguments.mode,
                             pictures_per_step(arguments.workload.recipe), arguments.precision,
                             model.name)
              << table(cost);
  }
  return 0;
}

int run(Arguments& arguments) {
  arguments.workload.recipe.training.precision =
      as_usage([&] { return math_from_name(arguments.precision); });
  if (!arguments.cost.empty()) return print_cost(arguments);
  use_simd(arguments.simd);
  const std::string unfit = unfit_for_timing(build_info());
  if (!unfit.empty()) throw UsageError(unfit);
  const Device device = as_usage([&] { return select_device(arguments.device); });
  const std::vector<Named> workloads = workloads_of(arguments, device);
  std::vector<Workload*> pointers;
  for (const Named& named : workloads) pointers.push_back(named.workload.get());
  const Comparison measured = measure(pointers, arguments.seconds);

  nlohmann::ordered_json json = document(arguments, device);
  std::vector<nlohmann::ordered_json> rows;
  for (std::size_t i = 0; i < workloads.size(); ++i) {
    rows.push_back(row(workloads[i], measured.throughputs[i]));
  }
  if (rows.size() == 1) {
    json.update(rows.front());
  } else {
    json["mode"] = arguments.mode;
    json["dann_over_source_only"] = measured.ratio;
    json["images_per_second"] = rows.front()["images_per_second"];
    json["rows"] = rows;
  }
  if (arguments.profile) print_profiles(arguments, device, json);
  if (arguments.json) {
    std::cout << json.dump(2) << '\n';
    return 0;
  }
  for (const nlohmann::ordered_json& one : rows) {
    std::cout << fmt::format(
        "{:<12} batch {}, {}: {:.0f} images/s ({:.0f} to {:.0f}), {:.1f} us a "
        "step, {:.0f} GFLOP/s\n",
        one["mode"].get<std::string>(), json["batch"].get<std::int64_t>(), arguments.precision,
        one["images_per_second"].get<double>(), one["images_per_second_min"].get<double>(),
        one["images_per_second_max"].get<double>(), one["step_us"].get<double>(),
        one["gflops"].get<double>());
  }
  if (rows.size() > 1) {
    std::cout << fmt::format("a DANN runs at {:.3f} of source-only's images/s\n", measured.ratio);
  }
  return 0;
}

}  // namespace
}  // namespace gradflip::bench

int main(int argc, char** argv) {
  CLI::App app("Times whole training steps on synthetic pictures in memory.", "step_bench");
  gradflip::bench::Arguments arguments;
  gradflip::TrainingArguments training;
  gradflip::bench::add_options(app, arguments);
  training.add_to(app);
  return gradflip::run_app(app, argc, argv, [&] {
    arguments.workload.recipe = training.recipe();
    return gradflip::bench::run(arguments);
  });
}
