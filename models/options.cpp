#include "models/options.h"

#include <cmath>

#include "models/f32_range.h"

namespace gradflip {
namespace {

const Choices<Math>& precisions() {
  static const Choices<Math> kPrecisions = {
      {Math::kF32, "f32"}, {Math::kTf32, "tf32"}, {Math::kBf16, "bf16"}, {Math::kTf32x3, "tf32x3"}};
  return kPrecisions;
}

// Bounds that keep epochs * steps_per_epoch and batch * pixels far inside 64 bits.
constexpr std::int64_t kMaxBatch = 1 << 20;
constexpr std::int64_t kMaxEpochs = 1'000'000;

constexpr const char* kLength = "Length and batches";
constexpr const char* kOptimizer = "Optimizer";

// What makes the learning rate, for messages.
const char* schedule_options(LearningRateSchedule schedule) {
  switch (schedule) {
    case LearningRateSchedule::kStep:
      return "--learning-rate, --decay-gamma, --decay-power";
    case LearningRateSchedule::kCosine:
    case LearningRateSchedule::kArc:
    case LearningRateSchedule::kLinear:
      return "--learning-rate, --learning-rate-end";
    case LearningRateSchedule::kProgress:
    case LearningRateSchedule::kConstant:
      break;
  }
  return "--learning-rate, --learning-rate-alpha, --learning-rate-beta";
}

}  // namespace

std::vector<OptionField> fields(TrainingOptions& o) {
  using Real = RealRange;
  return {
      whole_option({"epochs", kLength, "passes over the labelled training set"}, o.epochs, 1,
                   kMaxEpochs),
      alternative_option({"steps", kLength, "train for so many steps instead of --epochs"}, o.steps,
                         1, kMaxSteps, "epochs"),
      whole_option(
          {"source-batch", kLength, "source images per step; of target-only, the target's"},
          o.source_batch, 1, kMaxBatch),
      whole_option(
          {"target-batch", kLength, "target images per step, of methods that learn from them"},
          o.target_batch, 1, kMaxBatch),
      real_option({"learning-rate", kOptimizer, "mu_0: where the schedule starts"}, o.learning_rate,
                  Real::kAboveZero, UsedAs::kF32),
      choice_option(
          {"learning-rate-schedule", kOptimizer,
           "progress p: mu_0 / (1 + alpha p)^beta; step i: mu_0 (1 + decay-gamma i)^-decay-power; "
           "from mu_0 to mu_0 end: cosine (half a turn), arc (mu_0 cos(p acos end)), linear"},
          o.learning_rate_schedule,
          {{LearningRateSchedule::kProgress, "progress"},
           {LearningRateSchedule::kStep, "step"},
           {LearningRateSchedule::kConstant, "constant"},
           {LearningRateSchedule::kCosine, "cosine"},
           {LearningRateSchedule::kArc, "arc"},
           {LearningRateSchedule::kLinear, "linear"}}),
      real_option({"learning-rate-alpha", kOptimizer, "alpha of the schedule over progress"},
                  o.learning_rate_alpha, Real::kAtLeastZero, UsedAs::kF64),
      real_option({"learning-rate-beta", kOptimizer, "beta of the schedule over progress"},
                  o.learning_rate_beta, Real::kAtLeastZero, UsedAs::kF64),
      real_option({"decay-gamma", kOptimizer, "factor of the schedule over steps"}, o.decay_gamma,
                  Real::kAtLeastZero, UsedAs::kF64),
      real_option({"decay-power", kOptimizer, "exponent of the schedule over steps"}, o.decay_power,
                  Real::kAtLeastZero, UsedAs::kF64),
      real_option({"learning-rate-end", kOptimizer,
                   "share of mu_0 at the end of the schedules cosine, arc and linear"},
                  o.learning_rate_end, Real::kBelowOne, UsedAs::kF64),
      whole_option({"warmup-steps", kOptimizer,
                    "first steps, in which the learning rate rises evenly to its schedule"},
                   o.warmup_steps, 0, kMaxSteps),
      real_option({"momentum", kOptimizer, "of SGD"}, o.momentum, Real::kBelowOne, UsedAs::kF32),
      real_option({"weight-decay", kOptimizer, "of SGD, for all weights"}, o.weight_decay,
                  Real::kAtLeastZero, UsedAs::kF32),
      real_option({"label-smoothing", kOptimizer, "of the label loss"}, o.label_smoothing,
                  Real::kBelowOne, UsedAs::kF32),
  };
}

void require_together(const TrainingOptions& options, std::int64_t total_steps) {
  Schedule schedule = learning_rate_schedule(options, total_steps);
  require_lasting("--learning-rate, --warmup-steps", "learning rate", options.learning_rate,
                  schedule_at(schedule, 0));
  schedule.warmup_steps = 0;  // of a run that may become longer
  const bool ends_at_zero =
      (schedule.kind == Schedule::Kind::kCosine || schedule.kind == Schedule::Kind::kLinear) &&
      schedule.end == 0.0;
  require_lasting(schedule_options(options.learning_rate_schedule), "learning rate",
                  options.learning_rate,
                  schedule_at(schedule, ends_at_zero ? total_steps - 1 : total_steps));
}

Schedule learning_rate_schedule(const TrainingOptions& options, std::int64_t total_steps) {
  Schedule schedule;
  schedule.start = options.learning_rate;
  schedule.total_steps = total_steps;
  schedule.warmup_steps = options.warmup_steps;
  switch (options.learning_rate_schedule) {
    case LearningRateSchedule::kProgress:
      schedule.kind = Schedule::Kind::kProgressDecay;
      schedule.alpha = options.learning_rate_alpha;
      schedule.beta = options.learning_rate_beta;
      break;
    case LearningRateSchedule::kStep:
      schedule.kind = Schedule::Kind::kStepDecay;
      schedule.gamma = options.decay_gamma;
      schedule.beta = options.decay_power;
      break;
    case LearningRateSchedule::kConstant:
      schedule.kind = Schedule::Kind::kConstant;
      break;
    case LearningRateSchedule::kCosine:
      schedule.kind = Schedule::Kind::kCosine;
      schedule.end = options.learning_rate_end;
      break;
    case LearningRateSchedule::kArc:
      schedule.kind = Schedule::Kind::kCosine;
      schedule.end = options.learning_rate_end;
      schedule.arc = std::acos(options.learning_rate_end);
      break;
    case LearningRateSchedule::kLinear:
      schedule.kind = Schedule::Kind::kLinear;
      schedule.end = options.learning_rate_end;
      break;
  }
  return schedule;
}

Optimizer sgd(const TrainingOptions& options) {
  return {.rule = SgdOptions{static_cast<float>(options.momentum),
                             static_cast<float>(options.weight_decay)}};
}

std::string name_of(Math value) { return name_in(precisions(), value); }

Math math_from_name(const std::string& name) {
  return precisions()[index_of_choice(names_of(precisions()), "--precision", name)].first;
}

}  // namespace gradflip
