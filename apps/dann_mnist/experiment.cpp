#include "apps/dann_mnist/experiment.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/common/cli.h"
#include "apps/common/report/paper_rows.h"
#include "apps/common/run/stopwatch.h"
#include "apps/dann_mnist/modes.h"

namespace gradflip {
namespace {

// Long enough that the clock and the display cost nothing, short enough that a signal waits for
// less than 50 ms.
constexpr double kBlockSeconds = 0.025;

// What a mode learns from. Only target-only is given the target's labels.
TrainingData data_of(const DeviceSets& sets, const std::string& mode) {
  if (mode == kTargetOnly) return {sets.labelled_target(), nullptr};
  return {&sets.source_train(), &sets.target_train()};
}

// One run: the loop, its clocks and what it shows. What it measures is in `result` as soon as it is
// known, whatever ends the run.
class Run {
 public:
  Run(const Experiment& experiment, RunResult& result)
      : experiment_(experiment),
        trainer_(method_of(result.mode), experiment.network, experiment.recipe,
                 data_of(experiment.sets, result.mode), result.seed, experiment.device,
                 experiment.threads),
        source_test_(trainer_.evaluator(experiment.sets.source_test(), kSource)),
        result_(result) {
    if (const LabelledDeviceData* target_test = experiment.sets.target_test()) {
      target_test_ = trainer_.evaluator(*target_test, kTarget);
    }
    result_.steps_per_epoch = trainer_.steps_per_epoch();
    result_.columns = trainer_.report_columns();
    result_.data_seconds = run_time_.seconds();
  }
  ~Run() {
    result_.steps = trainer_.steps_done();
    result_.wall_seconds = run_time_.seconds();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void train() {
    bool stopped = false;
    while (trainer_.steps_done() < trainer_.total_steps() && !stopped) {
      train_epoch();
      stopped = experiment_.stop_requested();
      if (!stopped) evaluate();
    }
    result_.completed = !stopped;
    // Weights that nothing was learned into must not replace good ones.
    if (trainer_.steps_done() > 0) save();
    result_.wall_seconds = run_time_.seconds();
    experiment_.progress.run_done(progress_state(), result_);
  }

 private:
  // Up to the end of the epoch or of the run, in blocks between which a stop may be requested.
  void train_epoch() {
    const std::int64_t epoch_end =
        std::min(trainer_.total_steps(), (trainer_.steps_done() / trainer_.steps_per_epoch() + 1) *
                                             trainer_.steps_per_epoch());
    epoch_ = {};
    epoch_.epoch = (epoch_end + trainer_.steps_per_epoch() - 1) / trainer_.steps_per_epoch();
    while (trainer_.steps_done() < epoch_end && !experiment_.stop_requested()) {
      if (trainer_.prepare()) steps_per_block_ = 1;
      const Stopwatch block_time;
      const StepReport& block =
          trainer_.run(std::min(steps_per_block_, epoch_end - trainer_.steps_done()));
      const double seconds = block_time.seconds();
      result_.seconds += seconds;
      result_.steps = trainer_.steps_done();
      steps_per_block_ = std::max<std::int64_t>(
          1, static_cast<std::int64_t>(kBlockSeconds * static_cast<double>(block.steps) /
                                       std::max(seconds, 1e-9)));
      epoch_.reported = trainer_.epoch_report().values;
      result_.images_per_second = static_cast<double>(trainer_.images_done()) / result_.seconds;
      experiment_.progress.update(progress_state());
    }
    epoch_.steps = trainer_.steps_done();
    epoch_.seconds = result_.seconds;
  }

  // Target labels are opened here, to measure: nothing below feeds back into training.
  void evaluate() {
    const Stopwatch evaluation_time;
    epoch_.source_test_accuracy = source_test_->accuracy();
    if (target_test_) epoch_.target_test_accuracy = target_test_->accuracy();
    result_.evaluation_seconds += evaluation_time.seconds();
    result_.history.push_back(epoch_);
    experiment_.progress.epoch_done(progress_state(), epoch_);
  }

  // Figures do not depend on whether the weights found room on a disk.
  void save() {
    try {
      experiment_.save(trainer_, result_);
    } catch (const std::exception& error) {
      result_.save_error = run_error_of(error);
    }
  }

  ProgressState progress_state() const {
    ProgressState state;
    state.run = fmt::format("{} seed {}", result_.mode, result_.seed);
    state.epoch = epoch_.epoch;
    state.epochs =
        (trainer_.total_steps() + trainer_.steps_per_epoch() - 1) / trainer_.steps_per_epoch();
    state.step = result_.steps;
    state.steps = trainer_.total_steps();
    state.reported = epoch_.reported;
    state.images_per_second = result_.images_per_second;
    if (!result_.history.empty()) {
      state.source_test_accuracy = result_.history.back().source_test_accuracy;
      state.target_test_accuracy = result_.history.back().target_test_accuracy;
    }
    state.seconds_left = (result_.seconds + result_.evaluation_seconds) /
                         static_cast<double>(state.step) *
                         static_cast<double>(state.steps - state.step);
    return state;
  }

  Stopwatch run_time_;  // first: what comes after it is made in its time
  const Experiment& experiment_;
  Trainer trainer_;
  std::unique_ptr<Evaluator> source_test_, target_test_;
  RunResult& result_;
  EpochResult epoch_;
  std::int64_t steps_per_block_ = 1;
};

}  // namespace

RunError run_error_of(const std::exception& error) {
  return {static_cast<int>(exit_code_of(error)), error_text(error)};
}

RunResult run(const Experiment& experiment, const std::string& mode, std::uint64_t seed) {
  RunResult result;
  result.mode = mode;
  result.seed = seed;
  result.measures_target = experiment.sets.target_test() != nullptr;
  try {
    Run(experiment, result).train();
  } catch (const std::exception& error) {
    result.error = run_error_of(error);
    experiment.progress.say(fmt::format("{} seed {}  failed after {} steps: {}", mode, seed,
                                        result.steps, result.error->message));
  }
  return result;
}

}  // namespace gradflip
