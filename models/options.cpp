#include "models/options.h"

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
constexpr const char* kAugmentation = "Augmentation";
constexpr const char* kOptimizer = "Optimizer";

constexpr const char* kAugmentationNotation = "AUGMENTATION";
constexpr const char* kSame = "same";

Augmentation of_domain(const TrainingOptions& options, const std::string& own) {
  return parse_augmentation(own == kSame ? options.augment : own);
}

OptionField augmentation_option(const char* name, const char* help, std::string& value) {
  return text_option({name, kAugmentation, help}, value, kAugmentationNotation,
                     [](const std::string& text) { parse_augmentation(text); });
}

OptionField domain_option(const char* name, const char* help, std::string& value) {
  return text_option({name, kAugmentation, help}, value, kAugmentationNotation,
                     [](const std::string& text) {
                       if (text != kSame) parse_augmentation(text);
                     });
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
      augmentation_option("augment",
                          "how training pictures are changed: none, weak, strong, or operations "
                          "such as shift=3, flip@0.5 (docs/augmentation.md)",
                          o.augment),
      domain_option("source-augment",
                    "of source pictures, of target-only the target's; same: as --augment says",
                    o.source_augment),
      domain_option("target-augment", "of target pictures; same: as --augment says",
                    o.target_augment),
      real_option({"learning-rate", kOptimizer, "mu_0: where the schedule starts"}, o.learning_rate,
                  Real::kAboveZero, UsedAs::kF32),
      choice_option(
          {"learning-rate-schedule", kOptimizer,
           "progress p: mu_0 / (1 + alpha p)^beta; step i: mu_0 (1 + decay-gamma i)^-decay-power"},
          o.learning_rate_schedule,
          {{LearningRateSchedule::kProgress, "progress"},
           {LearningRateSchedule::kStep, "step"},
           {LearningRateSchedule::kConstant, "constant"}}),
      real_option({"learning-rate-alpha", kOptimizer, "alpha of the schedule over progress"},
                  o.learning_rate_alpha, Real::kAtLeastZero, UsedAs::kF64),
      real_option({"learning-rate-beta", kOptimizer, "beta of the schedule over progress"},
                  o.learning_rate_beta, Real::kAtLeastZero, UsedAs::kF64),
      real_option({"decay-gamma", kOptimizer, "factor of the schedule over steps"}, o.decay_gamma,
                  Real::kAtLeastZero, UsedAs::kF64),
      real_option({"decay-power", kOptimizer, "exponent of the schedule over steps"}, o.decay_power,
                  Real::kAtLeastZero, UsedAs::kF64),
      real_option({"momentum", kOptimizer, "of SGD"}, o.momentum, Real::kBelowOne, UsedAs::kF32),
      real_option({"weight-decay", kOptimizer, "of SGD, for all weights"}, o.weight_decay,
                  Real::kAtLeastZero, UsedAs::kF32),
      real_option({"label-smoothing", kOptimizer, "of the label loss"}, o.label_smoothing,
                  Real::kBelowOne, UsedAs::kF32),
  };
}

void require_together(const TrainingOptions& options, std::int64_t total_steps) {
  const bool over_steps = options.learning_rate_schedule == LearningRateSchedule::kStep;
  require_lasting(over_steps ? "--learning-rate, --decay-gamma, --decay-power"
                             : "--learning-rate, --learning-rate-alpha, --learning-rate-beta",
                  "learning rate", options.learning_rate,
                  schedule_at(learning_rate_schedule(options, total_steps), total_steps));
}

Schedule learning_rate_schedule(const TrainingOptions& options, std::int64_t total_steps) {
  Schedule schedule;
  schedule.start = options.learning_rate;
  schedule.total_steps = total_steps;
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
  }
  return schedule;
}

Augmentation source_augmentation(const TrainingOptions& options) {
  return of_domain(options, options.source_augment);
}

Augmentation target_augmentation(const TrainingOptions& options) {
  return of_domain(options, options.target_augment);
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
