#include "models/options.h"

#include <cmath>

#include "models/f32_range.h"
#include "models/network_list.h"

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
constexpr const char* kData = "Data";
constexpr const char* kAugmentation = "Augmentation";
constexpr const char* kOptimizer = "Optimizer";
constexpr const char* kNetwork = "Network";

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
      choice_option({"source-ink", kData,
                     "of the source's digits, those that are blended too: as it is, or full "
                     "wherever there is any, as tf-dann has it"},
                    o.source_ink, {{SourceInk::kAsIs, "as-is"}, {SourceInk::kFull, "full"}}),
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
           "progress p: mu_0 / (1 + alpha p)^beta; step i: mu_0 (1 + decay-gamma i)^-decay-power; "
           "from mu_0 to mu_0 end: cosine (half a turn), arc (mu_0 cos(p acos end)), linear"},
          o.learning_rate_schedule,
          {{LearningRateSchedule::kProgress, "progress"},
           {LearningRateSchedule::kStep, "step"},
           {LearningRateSchedule::kConstant, "constant"},
           {LearningRateSchedule::kCosine, "cosine"},
           {LearningRateSchedule::kArc, "arc"},
           {LearningRateSchedule::kLinear, "linear"}}),
      only_with(
          real_option({"learning-rate-alpha", kOptimizer, "alpha of the schedule over progress"},
                      o.learning_rate_alpha, Real::kAtLeastZero, UsedAs::kF64),
          "learning-rate-schedule", {"progress"}),
      only_with(
          real_option({"learning-rate-beta", kOptimizer, "beta of the schedule over progress"},
                      o.learning_rate_beta, Real::kAtLeastZero, UsedAs::kF64),
          "learning-rate-schedule", {"progress"}),
      only_with(real_option({"decay-gamma", kOptimizer, "factor of the schedule over steps"},
                            o.decay_gamma, Real::kAtLeastZero, UsedAs::kF64),
                "learning-rate-schedule", {"step"}),
      only_with(real_option({"decay-power", kOptimizer, "exponent of the schedule over steps"},
                            o.decay_power, Real::kAtLeastZero, UsedAs::kF64),
                "learning-rate-schedule", {"step"}),
      only_with(real_option({"learning-rate-end", kOptimizer,
                             "share of mu_0 at the end of the schedules cosine, arc and linear"},
                            o.learning_rate_end, Real::kBelowOne, UsedAs::kF64),
                "learning-rate-schedule", {"cosine", "arc", "linear"}),
      whole_option({"warmup-steps", kOptimizer,
                    "first steps, in which the learning rate rises evenly to its schedule"},
                   o.warmup_steps, 0, kMaxSteps),
      choice_option({"optimizer", kOptimizer, "stochastic gradient descent, or Adam"}, o.optimizer,
                    {{OptimizerKind::kSgd, "sgd"}, {OptimizerKind::kAdam, "adam"}}),
      only_with(real_option({"momentum", kOptimizer, "of SGD"}, o.momentum, Real::kBelowOne,
                            UsedAs::kF32),
                "optimizer", {"sgd"}),
      only_with(
          real_option({"adam-beta1", kOptimizer, "of Adam: how long the mean of gradients lasts"},
                      o.adam_beta1, Real::kBelowOne, UsedAs::kF32),
          "optimizer", {"adam"}),
      only_with(real_option(
                    {"adam-beta2", kOptimizer, "of Adam: how long the mean of their squares lasts"},
                    o.adam_beta2, Real::kBelowOne, UsedAs::kF32),
                "optimizer", {"adam"}),
      only_with(
          real_option({"adam-epsilon", kOptimizer, "of Adam: least deviation that divides a step"},
                      o.adam_epsilon, Real::kAboveZero, UsedAs::kF32),
          "optimizer", {"adam"}),
      real_option({"weight-decay", kOptimizer, "added to the gradient, for all weights"},
                  o.weight_decay, Real::kAtLeastZero, UsedAs::kF32),
      real_option({"label-smoothing", kOptimizer, "of the label loss"}, o.label_smoothing,
                  Real::kBelowOne, UsedAs::kF32),
      named_option({"network", kNetwork, "what is trained, by every mode"}, o.network,
                   network_names()),
      only_with(whole_option({"hidden-layers", kNetwork, "of mlp"}, o.network_options.hidden_layers,
                             1, 16),
                "network", {"mlp"}),
      only_with(whole_option({"hidden-units", kNetwork, "of each hidden layer of mlp"},
                             o.network_options.hidden_units, 1, 65'536),
                "network", {"mlp"}),
      only_with(choice_option({"activation", kNetwork, "behind each hidden layer of mlp"},
                              o.network_options.activation,
                              {{Activation::kRelu, "relu"}, {Activation::kSigmoid, "sigmoid"}}),
                "network", {"mlp"}),
      only_with(real_option({"dropout", kNetwork,
                             "share of values that the networks digits-... drop behind each pool"},
                            o.network_options.dropout, Real::kBelowOne, UsedAs::kF32),
                "network", {"digits-m", "digits-m-plus", "digits-l"}),
      only_with(real_option(
                    {"channel-dropout", kNetwork, "share of the features' channels that they drop"},
                    o.network_options.channel_dropout, Real::kBelowOne, UsedAs::kF32),
                "network", {"digits-m", "digits-m-plus", "digits-l"}),
      choice_option({"pixels", kNetwork,
                     "what a byte becomes, as a share of 255: minus the training sets' mean, as it "
                     "is, from -1 to 1, or by fungtion's numbers for each domain"},
                    o.pixels,
                    {{PixelScaling::kMean, "mean"},
                     {PixelScaling::kUnit, "unit"},
                     {PixelScaling::kHalf, "half"},
                     {PixelScaling::kFungtion, "fungtion"}}),
      choice_option({"batch-norm", kNetwork,
                     "statistics of both domains' images together, of each domain's in training, "
                     "or of each domain's to the end, for networks that normalise by batches"},
                    o.batch_norm,
                    {{BatchStatistics::kJoint, "joint"},
                     {BatchStatistics::kSeparate, "separate"},
                     {BatchStatistics::kPerDomain, "per-domain"}}),
      only_with(
          choice_option({"batch-norm-scale", kNetwork,
                         "with --batch-norm per-domain: whether domains share a scale and a shift"},
                        o.batch_norm_scale,
                        {{BatchNormScale::kShared, "shared"}, {BatchNormScale::kOwn, "own"}}),
          "batch-norm", {"per-domain"}),
      choice_option(
          {"evaluation-statistics", kNetwork,
           "what networks that normalise by batches are measured with: running statistics, "
           "or those of the domain's training set, taken anew each time, without labels"},
          o.evaluation_statistics,
          {{EvaluationStatistics::kRunning, "running"},
           {EvaluationStatistics::kEstimated, "estimated"}}),
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

Augmentation source_augmentation(const TrainingOptions& options) {
  return of_domain(options, options.source_augment);
}

Augmentation target_augmentation(const TrainingOptions& options) {
  return of_domain(options, options.target_augment);
}

Pass pass_of(const TrainingOptions& options) {
  return {.math = options.precision,
          .statistics = options.batch_norm,
          .own_scale = options.batch_norm_scale == BatchNormScale::kOwn};
}

Optimizer optimizer_of(const TrainingOptions& options) {
  if (options.optimizer == OptimizerKind::kAdam) {
    return {.rule = AdamOptions{.beta1 = static_cast<float>(options.adam_beta1),
                                .beta2 = static_cast<float>(options.adam_beta2),
                                .epsilon = static_cast<float>(options.adam_epsilon),
                                .weight_decay = static_cast<float>(options.weight_decay)}};
  }
  return {.rule = SgdOptions{static_cast<float>(options.momentum),
                             static_cast<float>(options.weight_decay)}};
}

std::string name_of(Math value) { return name_in(precisions(), value); }

Math math_from_name(const std::string& name) {
  return precisions()[index_of_choice(names_of(precisions()), "--precision", name)].first;
}

}  // namespace gradflip
