#include "models/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/require.h"
#include "models/dann.h"

namespace gradflip {
namespace {

template <typename Enum, std::size_t N>
using Names = std::array<std::pair<Enum, const char*>, N>;

constexpr Names<Math, kNumMaths> kMathModes{
    {{Math::kF32, "f32"}, {Math::kTf32, "tf32"}, {Math::kBf16, "bf16"}, {Math::kTf32x3, "tf32x3"}}};
constexpr Names<LambdaSchedule, 2> kLambdaSchedules{
    {{LambdaSchedule::kRamp, "ramp"}, {LambdaSchedule::kConstant, "constant"}}};
constexpr Names<LambdaAppliesTo, 2> kLambdaAppliesTo{
    {{LambdaAppliesTo::kFeatures, "features"}, {LambdaAppliesTo::kBoth, "both"}}};
constexpr Names<DomainReduction, 3> kDomainReductions{
    {{DomainReduction::kSumOfMeans, "sum_of_means"},
     {DomainReduction::kHalf, "half"},
     {DomainReduction::kMean, "mean"}}};
constexpr Names<LearningRateSchedule, 3> kLearningRateSchedules{
    {{LearningRateSchedule::kProgress, "progress"},
     {LearningRateSchedule::kStep, "step"},
     {LearningRateSchedule::kConstant, "constant"}}};

template <typename Enum, std::size_t N>
std::string name_in(const Names<Enum, N>& names, Enum value) {
  for (const auto& [known, name] : names) {
    if (known == value) return name;
  }
  throw std::invalid_argument(message("options: no name for value ", static_cast<int>(value)));
}

template <typename Enum, std::size_t N>
Enum value_in(const Names<Enum, N>& names, const std::string& option, const std::string& wanted) {
  std::string choices;
  for (const auto& [value, name] : names) {
    if (wanted == name) return value;
    if (!choices.empty()) choices += ", ";
    choices += name;
  }
  throw std::invalid_argument(option + ": there is no \"" + wanted + "\"; choose one of " +
                              choices);
}

// Bounds that keep epochs * steps_per_epoch and batch * pixels far inside 64 bits.
constexpr std::int64_t kMaxBatch = 1 << 20;
constexpr std::int64_t kMaxEpochs = 1'000'000;

void require_between(const char* option, std::int64_t value, std::int64_t low, std::int64_t high) {
  GRADFLIP_REQUIRE(value >= low && value <= high,
                   message(option, ": ", value, " is not between ", low, " and ", high));
}

// The comparisons are written so that NaN fails them.
void require_at_least_zero(const char* option, double value) {
  GRADFLIP_REQUIRE(value >= 0.0 && std::isfinite(value),
                   fmt::format("{}: {} is not a finite number of at least 0", option, value));
}

void require_positive(const char* option, double value) {
  GRADFLIP_REQUIRE(value > 0.0 && std::isfinite(value),
                   fmt::format("{}: {} is not a finite number above 0", option, value));
}

// Neither infinite in f32 nor so small that it loses digits, or is 0.
bool is_normal_in_f32(double value) {
  return value >= std::numeric_limits<float>::min() && value <= std::numeric_limits<float>::max();
}

void require_fits_f32(const char* option, double value) {
  GRADFLIP_REQUIRE(
      value == 0.0 || is_normal_in_f32(value),
      fmt::format("{}: {} is {} number of f32, in which training computes: they go "
                  "from 1.2e-38 to 3.4e38",
                  option, value, value < 1.0 ? "below the smallest normal" : "above the largest"));
}

void require_below_one(const char* option, double value) {
  GRADFLIP_REQUIRE(value >= 0.0 && static_cast<float>(value) < 1.0F,
                   fmt::format("{}: {} is not at least 0 and below 1 in f32, in which training "
                               "computes",
                               option, value));
  require_fits_f32(option, value);
}

// `end` is what a quantity that starts from `start` comes to where `options` have done their work.
void require_schedule(const char* options, const char* quantity, double start, double end) {
  GRADFLIP_REQUIRE(
      start == 0.0 || is_normal_in_f32(end),
      fmt::format("{}: with these values the {} comes to {}, below the smallest normal "
                  "number of f32, in which training computes, 1.2e-38",
                  options, quantity, end));
}

void require_domain_weight(const TrainingOptions& options) {
  require_at_least_zero("--domain-weight", options.domain_weight);
  require_fits_f32("--domain-weight", options.domain_weight);
  const DomainWeights weights = domain_weights(options);
  GRADFLIP_REQUIRE(
      options.domain_weight == 0.0 ||
          (is_normal_in_f32(weights.source) && is_normal_in_f32(weights.target)),
      fmt::format("--domain-weight: a domain's part of {} is below the smallest normal "
                  "number of f32, in which training computes, 1.2e-38",
                  options.domain_weight));
}

TrainingOptions deepda() {
  TrainingOptions options;
  options.preset = "deepda";
  options.gamma = 1.0;
  options.domain_weight = 1.0;
  options.domain_reduction = DomainReduction::kHalf;
  options.learning_rate = 0.01;
  options.learning_rate_schedule = LearningRateSchedule::kStep;
  options.decay_gamma = 1e-3;
  options.decay_power = 0.75;
  options.weight_decay = 1e-3;
  options.label_smoothing = 0.1;
  return options;
}

}  // namespace

void require_valid(const TrainingOptions& options) {
  require_between("--source-batch", options.source_batch, 1, kMaxBatch);
  require_between("--target-batch", options.target_batch, 1, kMaxBatch);
  require_between("--epochs", options.epochs, 1, kMaxEpochs);
  require_between("--steps", options.steps, 0, kMaxSteps);
  require_positive("--learning-rate", options.learning_rate);
  require_fits_f32("--learning-rate", options.learning_rate);
  require_at_least_zero("--learning-rate-alpha", options.learning_rate_alpha);
  require_at_least_zero("--learning-rate-beta", options.learning_rate_beta);
  require_at_least_zero("--decay-gamma", options.decay_gamma);
  require_at_least_zero("--decay-power", options.decay_power);
  require_below_one("--momentum", options.momentum);
  require_at_least_zero("--weight-decay", options.weight_decay);
  require_fits_f32("--weight-decay", options.weight_decay);
  require_below_one("--label-smoothing", options.label_smoothing);
  require_at_least_zero("--lambda", options.lambda);
  require_fits_f32("--lambda", options.lambda);
  require_positive("--gamma", options.gamma);
  require_domain_weight(options);
  require_schedules(options, options.steps > 0 ? options.steps : 1);
  require_between("--domain-logits", options.domain_logits, 1, 2);
}

void require_schedules(const TrainingOptions& options, std::int64_t total_steps) {
  const bool over_steps = options.learning_rate_schedule == LearningRateSchedule::kStep;
  require_schedule(over_steps ? "--learning-rate, --decay-gamma, --decay-power"
                              : "--learning-rate, --learning-rate-alpha, --learning-rate-beta",
                   "learning rate", options.learning_rate,
                   schedule_at(learning_rate_schedule(options, total_steps), total_steps));
  const double lambda = schedule_at(lambda_schedule(options, total_steps), total_steps);
  require_schedule("--lambda, --gamma", "ramp of lambda", options.lambda, lambda);
  // An infinite product diverges in the first step, which says so; one that is 0 trains nothing.
  const DomainWeights weights = domain_weights(options);
  const double reversed = lambda * std::min(weights.source, weights.target);
  GRADFLIP_REQUIRE(reversed == 0.0 || reversed >= std::numeric_limits<float>::min(),
                   fmt::format("--lambda, --domain-weight: with these values their product comes "
                               "to {}, below the smallest normal number of f32, in which training "
                               "computes, 1.2e-38",
                               reversed));
}

TrainingOptions preset(const std::string& name) {
  if (name == "paper") return {};
  if (name == "deepda") return deepda();
  throw std::invalid_argument("--preset: there is no \"" + name +
                              "\"; choose one of paper, deepda");
}

std::vector<std::string> preset_names() { return {"paper", "deepda"}; }

Schedule lambda_schedule(const TrainingOptions& options, std::int64_t total_steps) {
  Schedule schedule;
  schedule.kind = options.lambda_schedule == LambdaSchedule::kRamp ? Schedule::Kind::kSigmoidRamp
                                                                   : Schedule::Kind::kConstant;
  schedule.start = options.lambda;
  schedule.gamma = options.gamma;
  schedule.total_steps = total_steps;
  return schedule;
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

std::string name_of(Math value) { return name_in(kMathModes, value); }
std::string name_of(LambdaSchedule value) { return name_in(kLambdaSchedules, value); }
std::string name_of(LambdaAppliesTo value) { return name_in(kLambdaAppliesTo, value); }
std::string name_of(DomainReduction value) { return name_in(kDomainReductions, value); }
std::string name_of(LearningRateSchedule value) { return name_in(kLearningRateSchedules, value); }

Math math_from_name(const std::string& name) { return value_in(kMathModes, "--precision", name); }
LambdaSchedule lambda_schedule_from_name(const std::string& name) {
  return value_in(kLambdaSchedules, "--lambda-schedule", name);
}
LambdaAppliesTo lambda_applies_to_from_name(const std::string& name) {
  return value_in(kLambdaAppliesTo, "--lambda-applies-to", name);
}
DomainReduction domain_reduction_from_name(const std::string& name) {
  return value_in(kDomainReductions, "--domain-reduction", name);
}
LearningRateSchedule learning_rate_schedule_from_name(const std::string& name) {
  return value_in(kLearningRateSchedules, "--learning-rate-schedule", name);
}

}  // namespace gradflip
