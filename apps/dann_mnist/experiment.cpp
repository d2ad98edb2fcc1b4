#include "apps/dann_mnist/experiment.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/common/run/stopwatch.h"

namespace gradflip {
namespace {

// Long enough that the clock and the display cost nothing, short enough that a signal waits for
// less than 50 ms.
constexpr double kBlockSeconds = 0.025;

// Means over the steps of an epoch, put together from those over its blocks.
class EpochMeans {
 public:
  void add(const StepReport& block) {
    const auto weight = static_cast<double>(block.steps);
    steps_ += weight;
    label_loss_ += weight * block.label_loss;
    domain_loss_ += weight * block.domain_loss;
    domain_accuracy_ += weight * block.domain_accuracy;
    learning_rate_ = block.learning_rate;
    lambda_ = block.lambda;
  }

  void write_to(EpochResult& epoch, bool has_domain_classifier) const {
    epoch.label_loss = label_loss_ / steps_;
    epoch.learning_rate = learning_rate_;
    if (!has_domain_classifier) return;
    epoch.domain_loss = domain_loss_ / steps_;
    epoch.domain_accuracy = domain_accuracy_ / steps_;
    epoch.lambda = lambda_;
  }

 private:
  double steps_ = 0.0, label_loss_ = 0.0, domain_loss_ = 0.0, domain_accuracy_ = 0.0;
  double learning_rate_ = 0.0, lambda_ = 0.0;
};

// One run: the loop, its clocks and what it shows.
class Run {
 public:
  Run(const Experiment& experiment, Mode mode, const TrainingData& data, std::uint64_t seed)
      : experiment_(experiment),
        has_domain_classifier_(data.unlabelled != nullptr),
        trainer_(experiment.options, data, seed, experiment.device, experiment.threads),
        source_test_(trainer_.evaluator(experiment.data.source_test)),
        target_test_(trainer_.evaluator(experiment.data.target_test)) {
    result_.mode = mode;
    result_.seed = seed;
    result_.steps_per_epoch = trainer_.steps_per_epoch();
    result_.data_seconds = run_time_.seconds();
  }

  RunResult train() {
    while (trainer_.steps_done() < trainer_.total_steps() && !stopped_) {
      train_epoch();
      stopped_ = experiment_.stop_requested();
      if (!stopped_) evaluate();
    }
    result_.completed = !stopped_;
    experiment_.save(trainer_, result_);
    result_.wall_seconds = run_time_.seconds();
    experiment_.progress.run_done(progress_state(), result_);
    return result_;
  }

 private:
  // Up to the end of the epoch or of the run, in blocks between which a stop may be requested.
  void train_epoch() {
    const std::int64_t epoch_end =
        std::min(trainer_.total_steps(), (trainer_.steps_done() / trainer_.steps_per_epoch() + 1) *
                                             trainer_.steps_per_epoch());
    epoch_ = {};
    epoch_.epoch = (epoch_end + trainer_.steps_per_epoch() - 1) / trainer_.steps_per_epoch();
    EpochMeans means;
    while (trainer_.steps_done() < epoch_end && !experiment_.stop_requested()) {
      const Stopwatch block_time;
      const StepReport block =
          trainer_.run(std::min(steps_per_block_, epoch_end - trainer_.steps_done()));
      const double seconds = block_time.seconds();
      result_.seconds += seconds;
      result_.steps = trainer_.steps_done();
      steps_per_block_ = std::max<std::int64_t>(
          1, static_cast<std::int64_t>(kBlockSeconds * static_cast<double>(block.steps) /
                                       std::max(seconds, 1e-9)));
      means.add(block);
      means.write_to(epoch_, has_domain_classifier_);
      result_.images_per_second =
          static_cast<double>(result_.steps * trainer_.images_per_step()) / result_.seconds;
      experiment_.progress.update(progress_state());
    }
    epoch_.steps = trainer_.steps_done();
    epoch_.seconds = result_.seconds;
  }

  // Target labels are opened here, to measure: nothing below feeds back into training.
  void evaluate() {
    const Stopwatch evaluation_time;
    epoch_.source_test_accuracy = source_test_->accuracy();
    epoch_.target_test_accuracy = target_test_->accuracy();
    result_.evaluation_seconds += evaluation_time.seconds();
    result_.history.push_back(epoch_);
    experiment_.progress.epoch_done(progress_state(), epoch_);
  }

  ProgressState progress_state() const {
    ProgressState state;
    state.run = fmt::format("{} seed {}", name_of(result_.mode), result_.seed);
    state.epoch = epoch_.epoch;
    state.epochs =
        (trainer_.total_steps() + trainer_.steps_per_epoch() - 1) / trainer_.steps_per_epoch();
    state.step = result_.steps;
    state.steps = trainer_.total_steps();
    state.label_loss = epoch_.label_loss;
    state.domain_loss = epoch_.domain_loss;
    state.domain_accuracy = epoch_.domain_accuracy;
    state.lambda = epoch_.lambda;
    state.learning_rate = epoch_.learning_rate;
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
  bool has_domain_classifier_;
  Trainer trainer_;
  std::unique_ptr<Evaluator> source_test_, target_test_;
  RunResult result_;
  EpochResult epoch_;
  std::int64_t steps_per_block_ = 1;
  bool stopped_ = false;
};

}  // namespace

RunResult source_only(const Experiment& experiment, std::uint64_t seed) {
  const ExperimentData& data = experiment.data;
  return Run(experiment, Mode::kSourceOnly, {&data.source_train, nullptr, data.channel_means}, seed)
      .train();
}

RunResult dann(const Experiment& experiment, std::uint64_t seed) {
  const ExperimentData& data = experiment.data;
  return Run(experiment, Mode::kDann, {&data.source_train, &data.target_train, data.channel_means},
             seed)
      .train();
}

RunResult train_on_target(const Experiment& experiment, const LabelledImages& labelled_target,
                          std::uint64_t seed) {
  return Run(experiment, Mode::kTargetOnly,
             {&labelled_target, nullptr, experiment.data.channel_means}, seed)
      .train();
}

}  // namespace gradflip
