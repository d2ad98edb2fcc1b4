// step_bench: whole training steps, or inference, in images per second.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "apps/common/cli.h"
#include "apps/common/usage_error.h"
#include "benchmarks/profile.h"
#include "benchmarks/step_cost.h"
#include "benchmarks/support/build_info.h"
#include "benchmarks/support/shapes.h"
#include "benchmarks/support/simd_limit.h"
#include "benchmarks/workloads.h"
#include "models/method_list.h"
#include "models/options.h"
#include "models/presets.h"
#include "runtime/device.h"

namespace gradflip::bench {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  step_bench --mode dann --batch 128 --json\n"
    "  step_bench --mode source-only --threads 1 --profile\n"
    "  step_bench --preset fungtion --profile\n"
    "  step_bench --mode both --batch 4096 --device cuda --precision tf32\n"
    "  step_bench --cost h200 --batch 128 --precision tf32\n"
    "  step_bench --cost h200 --mode adda\n";

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
};

void add_options(CLI::App& app, Arguments& arguments) {
  WorkloadOptions& workload = arguments.workload;
  app.add_option("--mode", arguments.mode,
                 "what to time; both: a DANN and source-only in turns, and their ratio; with "
                 "--cost: any method of dann_mnist [dann]")
      ->type_name("dann|source-only|both|infer|NAME");
  app.add_option("--preset", workload.preset, "whose network and recipe [paper]")
      ->type_name(fmt::format("{}", fmt::join(preset_names(), "|")));
  app.add_option("--batch", workload.batch, "images through the feature extractor per step [128]")
      ->check(CLI::Range(std::int64_t{2}, std::int64_t{1} << 20U).description(""))
      ->type_name("INT");
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
  app.footer(kExamples);
}

struct Named {
  std::string name;
  std::unique_ptr<Workload> workload;
};

std::vector<Named> workloads_of(const Arguments& arguments, const Device& device) {
  std::vector<Named> workloads;
  const auto add = [&](const char* name, auto make) {
    if (arguments.mode == name || (arguments.mode == "both" && std::string("infer") != name)) {
      workloads.push_back({name, make(arguments.workload, device)});
    }
  };
  add("dann", dann_workload);
  add("source-only", source_only_workload);
  add("infer", inference_workload);
  if (workloads.empty()) {
    throw UsageError("--mode: there is no \"" + arguments.mode +
                     "\"; choose one of dann, source-only, both, infer");
  }
  return workloads;
}

// Of a step by its graph, for each image: what the paper's network takes is known by formula.
double flops_of(const Workload& workload) {
  const std::vector<std::int64_t> rows = workload.rows();
  double flops = 0.0;
  for (const Node& node : workload.graph().nodes()) {
    flops += cost_of(workload.graph(), node, rows).flops;
  }
  return flops / static_cast<double>(workload.images_per_step());
}

double flops_of(const std::string& name) {
  const FlopsPerImage flops = flops_per_image(dann_shapes());
  return name == "dann"    ? flops.dann_step
         : name == "infer" ? flops.inference
                           : flops.source_only_step;
}

nlohmann::ordered_json row(const Named& named, const Throughput& throughput, bool paper) {
  const double flops = paper ? flops_of(named.name) : flops_of(*named.workload);
  return {
      {"mode", named.name},
      {"images_per_second", throughput.median},
      {"images_per_second_min", throughput.min},
      {"images_per_second_max", throughput.max},
      {"step_us", 1e6 * static_cast<double>(named.workload->images_per_step()) / throughput.median},
      {"gflops", flops * throughput.median * 1e-9},
      {"windows", throughput.windows}};
}

nlohmann::ordered_json document(const Arguments& arguments, const Device& device) {
  nlohmann::ordered_json json = to_json(build_info());
  json["device"] = device.name;
  json["preset"] = arguments.workload.preset;
  json["batch"] = arguments.workload.batch;
  json["threads"] = arguments.workload.threads;
  json["precision"] = arguments.precision;
  json["simd"] = arguments.simd;
  return json;
}

// Beside the rates, or in place of them: to `json` if that is wanted, else to stdout.
void print_profiles(Arguments arguments, const Device& device, nlohmann::ordered_json& json) {
  const Peaks peaks = std::visit([](auto ctx) { return measure_peaks(ctx); }, device.context);
  arguments.workload.still = !std::holds_alternative<Cpu>(device.context);  // see profile.h
  for (const Named& named : workloads_of(arguments, device)) {
    const Profile measured = profile(*named.workload, device.context, arguments.workload.threads,
                                     arguments.workload.precision, peaks, arguments.seconds);
    json["profiles"][named.name] = to_json(measured);
    if (!arguments.json) std::cout << named.name << ":\n" << table(measured);
  }
}

int print_cost(const Arguments& arguments) {
  const Method costed = as_usage([&] { return method(arguments.mode, "--mode"); });
  const DeviceModel model = device_model(arguments.cost);
  const StepCost cost = step_cost(arguments.workload, costed, model);
  if (arguments.json) {
    nlohmann::ordered_json json{{"gpu", model.name},
                                {"mode", arguments.mode},
                                {"batch", arguments.workload.batch},
                                {"precision", arguments.precision}};
    json.update(to_json(cost));
    std::cout << json.dump(2) << '\n';
  } else {
    std::cout << fmt::format("{}, batch {}, {}, on an {}, on paper:\n", arguments.mode,
                             arguments.workload.batch, arguments.precision, model.name)
              << table(cost);
  }
  return 0;
}

int run(Arguments& arguments) {
  arguments.workload.precision = as_usage([&] { return math_from_name(arguments.precision); });
  as_usage([&] { return index_of_choice(preset_names(), "--preset", arguments.workload.preset); });
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
    rows.push_back(
        row(workloads[i], measured.throughputs[i], arguments.workload.preset == "paper"));
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
        one["mode"].get<std::string>(), arguments.workload.batch, arguments.precision,
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
  gradflip::bench::add_options(app, arguments);
  return gradflip::run_app(app, argc, argv, [&] { return gradflip::bench::run(arguments); });
}
