// dann_mnist: arguments, wiring, exit code.

#include <fmt/format.h>

#include <iostream>
#include <optional>
#include <span>

#include "apps/common/cli.h"
#include "apps/common/report/json.h"
#include "apps/common/report/table.h"
#include "apps/common/run/output_file.h"
#include "apps/common/run/signals.h"
#include "apps/common/run/stopwatch.h"
#include "apps/dann_mnist/arguments.h"
#include "apps/dann_mnist/experiment.h"
#include "kernels/require.h"
#include "runtime/atomic_file.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

void prepare_outputs(const Arguments& arguments) {
  if (!arguments.save.empty()) require_writable(arguments.save);
  if (!arguments.save_config.empty()) {
    const std::string text = config_text(config_of(arguments));
    write_file_atomically(arguments.save_config, std::as_bytes(std::span(text)));
  }
}

// tf32 and tf32x3 exist on GPUs only. bf16 is for every CPU, but not every one has products of it.
void require_precision(const Arguments& arguments, const Device& device) {
  if (computes_in(device.context, arguments.training.precision)) return;
  GRADFLIP_REQUIRE(arguments.training.precision == Math::kBf16,
                   "--precision " + arguments.precision + ": this run is on the CPU (" +
                       device.reason +
                       "), which computes in f32 or bf16; choose one of them, or a GPU");
  std::cerr << "note: this processor has no bf16 products: computing in f32\n";
}

void announce(const Arguments& arguments, const Device& device, const ExperimentData& data) {
  std::cerr << fmt::format("device: {} ({}), {} threads, {}\n", device.name, device.reason,
                           arguments.threads, arguments.precision)
            << fmt::format("source: {}, {} pictures\n", data.source_name,
                           data.source_train.images.count)
            << fmt::format("target: {}, {} pictures without labels\n", data.target_name,
                           data.target_train.images.count);
  for (const std::string& note : data.notes) std::cerr << "note: " << note << '\n';
}

std::int64_t runs_asked_for(const Arguments& arguments) {
  return arguments.seeds * static_cast<std::int64_t>(arguments.modes.size());
}

void save_weights(const Arguments& arguments, const Trainer& trainer, const RunResult& run) {
  if (arguments.save.empty()) return;
  const bool alone = runs_asked_for(arguments) == 1;
  trainer.save(
      alone ? arguments.save
            : with_suffix(arguments.save, fmt::format("{}-seed{}", name_of(run.mode), run.seed)));
}

// Every mode with every seed, seed by seed, so that the first rows to compare come early. Results
// go to `results` one by one: what an exception interrupts leaves those before it.
void run_all(const Arguments& arguments, const Experiment& experiment,
             std::vector<RunResult>& results, WallTime& wall) {
  std::optional<LabelledImages> labelled_target;
  for (std::int64_t i = 0; i < arguments.seeds; ++i) {
    const std::uint64_t seed = arguments.first_seed + static_cast<std::uint64_t>(i);
    for (const Mode mode : arguments.modes) {
      if (experiment.stop_requested()) return;
      switch (mode) {
        case Mode::kSourceOnly:
          results.push_back(source_only(experiment, seed));
          break;
        case Mode::kDann:
          results.push_back(dann(experiment, seed));
          break;
        case Mode::kTargetOnly:
          if (!labelled_target) {
            const Stopwatch loading;
            labelled_target = load_labelled_target(arguments.data);
            wall.data += loading.seconds();
          }
          results.push_back(train_on_target(experiment, *labelled_target, seed));
          break;
      }
    }
  }
}

void add_runs(const std::vector<RunResult>& results, WallTime& wall) {
  for (const RunResult& result : results) {
    wall.steps += result.seconds;
    wall.evaluation += result.evaluation_seconds;
    wall.data += result.data_seconds;
  }
}

int run(const Arguments& arguments) {
  const Stopwatch program_time;
  prepare_outputs(arguments);
  const Device device = select_device(arguments.device);
  require_precision(arguments, device);
  WallTime wall;
  const Stopwatch loading;
  const ExperimentData data = load_data(arguments.data);
  wall.data = loading.seconds();
  announce(arguments, device, data);
  const TableNotes notes{data.source_name, data.target_name, data.transductive};

  const StopRequest stop;
  Progress progress(std::cerr, stderr_width());
  const Experiment experiment{data,
                              arguments.training,
                              device,
                              arguments.threads,
                              progress,
                              [&] { return stop.signal() != 0; },
                              [&](const Trainer& trainer, const RunResult& result) {
                                save_weights(arguments, trainer, result);
                              }};
  std::vector<RunResult> results;
  try {
    run_all(arguments, experiment, results, wall);
  } catch (const std::exception&) {
    progress.finish_line();
    if (!results.empty()) std::cerr << table(results, notes);
    throw;
  }

  add_runs(results, wall);
  wall.seconds = program_time.seconds();
  std::cerr << "wall time " << text_of(wall) << '\n';
  const bool all_done = static_cast<std::int64_t>(results.size()) == runs_asked_for(arguments) &&
                        results.back().completed;
  if (!all_done) {
    std::cerr << table(results, notes);
    return 128 + stop.signal();
  }
  if (!arguments.json) {
    std::cout << table(results, notes);
    return 0;
  }
  ReportContext context;
  context.version = GRADFLIP_VERSION;
  context.device = device.name;
  context.device_reason = device.reason;
  context.precision = arguments.precision;
  context.threads = arguments.threads;
  context.preset = arguments.training.preset;
  context.config = config_of(arguments);
  context.wall = wall;
  context.data = {{"source", data.source}, {"target", data.target}};
  std::cout << report(context, results).dump(2) << '\n';
  return 0;
}

}  // namespace
}  // namespace gradflip

int main(int argc, char** argv) {
  gradflip::CommandLine command_line;
  return gradflip::run_app(command_line.app(), argc, argv,
                           [&] { return gradflip::run(command_line.arguments()); });
}
