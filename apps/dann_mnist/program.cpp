#include "apps/dann_mnist/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/cli.h"
#include "apps/common/report/json.h"
#include "apps/common/report/paper_rows.h"
#include "apps/common/report/table.h"
#include "apps/common/run/output_file.h"
#include "apps/common/run/progress.h"
#include "apps/common/run/stopwatch.h"
#include "apps/common/usage_error.h"
#include "apps/dann_mnist/chance.h"
#include "apps/dann_mnist/device_sets.h"
#include "apps/dann_mnist/experiment.h"
#include "apps/dann_mnist/option_notes.h"
#include "apps/dann_mnist/outputs.h"
#include "apps/dann_mnist/plan.h"
#include "models/network_list.h"
#include "models/networks/paper_mnist.h"

namespace gradflip {
namespace {

// A signal came before the first run.
struct Interrupted {};

class DannMnist {
 public:
  DannMnist(const Arguments& arguments, const StopRequest& stop)
      : arguments_(arguments), stop_(stop), progress_(std::cerr, stderr_width()) {
    context_.version = GRADFLIP_VERSION;
    context_.precision = arguments.precision;
    context_.threads = arguments.threads;
    context_.preset = arguments.recipe.training.preset;
    context_.config = config_of(arguments);
    context_.plan = {arguments.modes, arguments.seeds};
  }

  int run() {
    try {
      prepare();
      train();
    } catch (const Interrupted&) {
      // As between two runs: finish() tells.
    } catch (const std::exception& error) {
      progress_.finish_line();
      if (exit_code_of(error) == ExitCode::kUsage) throw;
      context_.error = run_error_of(error);
    }
    return finish();
  }

 private:
  // All that has to be right before the first step.
  void prepare() {
    require_outputs(arguments_);
    device_ = select_device(arguments_.device);
    context_.device = device_->name;
    context_.device_reason = device_->reason;
    require_precision();

    const Stopwatch loading;
    loaded_ = load_data(arguments_.data, wants_target_labels(arguments_), [&] {
      if (stop_.signal() != 0) throw Interrupted{};
    });
    sets_.emplace(device_->context, *loaded_);
    context_.wall.data = loading.seconds();
    const ExperimentData& data = loaded_->experiment;
    context_.data = {{"source", data.source}, {"target", data.target}};
    context_.plan = plan_of(arguments_, *loaded_);
    write_config(arguments_);
    announce();
  }

  // tf32 and tf32x3 exist on GPUs only. bf16 is for every CPU, but not every one has products of
  // it.
  void require_precision() {
    if (computes_in(device_->context, arguments_.recipe.training.precision)) return;
    if (arguments_.recipe.training.precision != Math::kBf16) {
      throw UsageError("--precision " + arguments_.precision + ": this run is on the CPU (" +
                       device_->reason +
                       "), which computes in f32 or bf16; choose one of them, or a GPU");
    }
    note("this processor has no bf16 products: computing in f32");
  }

  void announce() {
    const ExperimentData& data = loaded_->experiment;
    progress_.say(fmt::format("device: {} ({}), {} threads, {}", device_->name, device_->reason,
                              arguments_.threads, arguments_.precision));
    progress_.say(
        fmt::format("source: {}, {} pictures", data.source_name, data.source_train.images.count));
    progress_.say(fmt::format("target: {}, {} pictures without labels", data.target_name,
                              data.target_train.images.count));
    for (const std::string& text : data.notes) note(text);
    for (const std::string& text :
         unread_option_notes(arguments_.recipe, arguments_.modes, chosen_network())) {
      note(text);
    }
  }

  void note(const std::string& text) {
    progress_.say("note: " + text);
    context_.notes.push_back(text);
  }

  Network chosen_network() const {
    const TrainingOptions& training = arguments_.recipe.training;
    return gradflip::network(training.network,
                             digits_input(loaded_->experiment.channel_means, training.pixels),
                             training.network_options);
  }

  // Every mode with every seed, seed by seed, so that the first rows to compare come early.
  void train() {
    const Network network = chosen_network();
    const Experiment experiment{*sets_,
                                network,
                                arguments_.recipe,
                                *device_,
                                arguments_.threads,
                                progress_,
                                [&] { return stop_.signal() != 0; },
                                [&](const Trainer& trainer, const RunResult& result) {
                                  if (!arguments_.save) return;
                                  trainer.save(weights_file(arguments_, result.mode, result.seed));
                                }};
    for (std::int64_t i = 0; i < context_.plan.seeds; ++i) {
      const std::uint64_t seed = arguments_.first_seed + static_cast<std::uint64_t>(i);
      for (const std::string& mode : context_.plan.modes) {
        if (stop_.signal() != 0 || (arguments_.fail_fast && first_failure() != nullptr)) return;
        results_.push_back(gradflip::run(experiment, mode, seed));
        note_chance(results_.back());
      }
    }
  }

  void note_chance(const RunResult& result) {
    const ExperimentData& data = loaded_->experiment;
    const bool on_target = result.mode == kTargetOnly;
    const LabelledImages* target_test = data.target_test ? &*data.target_test : nullptr;
    const std::optional<std::string> text = chance_note(
        result, on_target ? *loaded_->labelled_target : data.source_train,
        on_target ? target_test : &data.source_test, arguments_.recipe.training.label_smoothing);
    if (text) note(*text);
  }

  static const RunError* failure_of(const RunResult& result) {
    if (result.error) return &*result.error;
    return result.save_error ? &*result.save_error : nullptr;
  }

  // The run that failed first, as a whole or when its weights were saved; null if none did.
  const RunResult* first_failure() const {
    const auto found = std::find_if(results_.begin(), results_.end(), [](const RunResult& result) {
      return failure_of(result) != nullptr;
    });
    return found == results_.end() ? nullptr : &*found;
  }

  std::int64_t completed() const {
    return std::count_if(results_.begin(), results_.end(),
                         [](const RunResult& result) { return result.completed; });
  }

  // A signal has left something out, rather than coming when all was done.
  bool interrupted() const {
    if (stop_.signal() == 0 || context_.error) return false;
    return std::ssize(results_) < context_.plan.runs() ||
           (!results_.back().completed && !results_.back().error);
  }

  int exit_code() const {
    if (context_.error) return context_.error->code;
    // The signal's own code promises that nothing failed and all weights are saved.
    const RunResult* failed = first_failure();
    if (failed != nullptr) return failure_of(*failed)->code;
    return interrupted() ? 128 + stop_.signal() : 0;
  }

  int finish() {
    for (const RunResult& result : results_) {
      context_.wall.steps += result.seconds;
      context_.wall.evaluation += result.evaluation_seconds;
      context_.wall.data += result.data_seconds;
    }
    context_.wall.seconds = program_time_.seconds();
    context_.exit_code = exit_code();
    if (!results_.empty()) progress_.say("wall time " + text_of(context_.wall));
    if (results_.empty() && interrupted()) progress_.say("stopped before the first run");
    try {
      write_results();
    } catch (const std::exception&) {
      say_what_failed();  // the standard output comes on top of it
      throw;
    }
    say_what_failed();
    return context_.exit_code;
  }

  void write_results() {
    const bool stdout_has_table = !arguments_.json && completed() > 0;
    const bool unfinished = completed() < context_.plan.runs();
    const bool stderr_has_table = !results_.empty() && !stdout_has_table && unfinished;
    if (stderr_has_table) std::cerr << table_text();
    try {
      if (arguments_.json) write_to_stdout(text_of(report(context_, results_)));
      if (stdout_has_table) write_to_stdout(table_text());
    } catch (const std::exception&) {
      if (!results_.empty() && !stderr_has_table) std::cerr << table_text();
      throw;
    }
  }

  std::string table_text() const {
    const ExperimentData& data = loaded_->experiment;
    return table(results_, {data.source_name, data.target_name, data.transductive, context_.plan});
  }

  void say_what_failed() const {
    const RunResult* failed = first_failure();
    std::string text;
    if (context_.error) {
      text = context_.error->message;
    } else if (failed != nullptr) {
      text =
          fmt::format("{} seed {}: {}", failed->mode, failed->seed, failure_of(*failed)->message);
      if (context_.plan.runs() > 1) {
        text += fmt::format(" ({} of {} runs were completed)", completed(), context_.plan.runs());
      }
    }
    if (!text.empty()) std::cerr << "dann_mnist: error: " << text << '\n';
  }

  Stopwatch program_time_;
  const Arguments& arguments_;
  const StopRequest& stop_;
  Progress progress_;
  std::optional<Device> device_;
  std::optional<LoadedData> loaded_;
  std::optional<DeviceSets> sets_;  // of what is loaded, on the device
  std::vector<RunResult> results_;
  ReportContext context_;
};

}  // namespace

int run_program(const Arguments& arguments, const StopRequest& stop) {
  return DannMnist(arguments, stop).run();
}

}  // namespace gradflip
