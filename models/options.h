// Every number of a training recipe, and the named recipes. Public DANN implementations differ
// silently in these; here each is an option with the paper's name. Sources: Ganin et al., JMLR 17
// (2016), eq. 10 and section 5.2.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/math_mode.h"
#include "kernels/schedule.h"

namespace gradflip {

enum class LambdaSchedule {
  kRamp,      // lambda * (2 / (1 + exp(-gamma * p)) - 1)
  kConstant,  // lambda
};

enum class LambdaAppliesTo {
  kFeatures,  // feature extractor -lambda, domain classifier 1 (the paper's choice)
  kBoth,      // feature extractor -lambda, domain classifier lambda
};

enum class DomainReduction {
  kSumOfMeans,  // mean over source + mean over target (eq. 10)
  kHalf,        // half of that
  kMean,        // mean over all images of the step
};

enum class LearningRateSchedule {
  kProgress,  // learning_rate / (1 + alpha * p)^beta
  kStep,      // learning_rate * (1 + decay_gamma * step)^-decay_power
  kConstant,  // learning_rate
};

constexpr std::int64_t kMaxSteps = 1'000'000'000'000;  // of a run

struct TrainingOptions {
  std::string preset = "paper";

  // How products may be rounded, in training and evaluation alike; accumulation and weights are
  // f32.
  Math precision = Math::kF32;

  std::int64_t source_batch = 64;  // images per step; also the batch of a run on one domain
  std::int64_t target_batch = 64;
  std::int64_t epochs = 20;  // one epoch is floor(source size / source_batch) steps
  std::int64_t steps = 0;    // > 0: so many steps, whatever `epochs` says

  LearningRateSchedule learning_rate_schedule = LearningRateSchedule::kProgress;
  double learning_rate = 0.01;
  double learning_rate_alpha = 10.0, learning_rate_beta = 0.75;
  double decay_gamma = 1e-3, decay_power = 0.75;
  double momentum = 0.9;
  double weight_decay = 0.0;
  double label_smoothing = 0.0;

  LambdaSchedule lambda_schedule = LambdaSchedule::kRamp;
  double lambda = 1.0;  // the value that the ramp tends to, or the constant
  double gamma = 10.0;  // steepness of the ramp
  LambdaAppliesTo lambda_applies_to = LambdaAppliesTo::kFeatures;
  double domain_weight = 1.0;  // of the domain loss, for both parts that it reaches
  DomainReduction domain_reduction = DomainReduction::kSumOfMeans;
  std::int64_t domain_logits = 1;  // 1: binary cross-entropy; 2: softmax cross-entropy
};

// Throws std::invalid_argument, one line, naming the option as the command line spells it, if a
// value is out of range as it is written or as it is used. Schedules are evaluated in double; what
// they give, and every other number, goes into the computation as f32, whatever the precision of
// products (bf16 and tf32 have f32's range). There no number may become infinite, 1 instead of
// less, or 0 instead of more. A subnormal f32, below 1.2e-38, counts as 0: products in bf16 take it
// so. What schedules come to is asked at the end of the run where `options` have its steps, else
// after the first step: require_schedules() asks where epochs decide.
void require_valid(const TrainingOptions& options);

// Throws std::invalid_argument as above if, at the end of a run of total_steps (> 0), the learning
// rate, lambda, or lambda times a domain's weight is 0 in f32, though nothing that makes it is.
void require_schedules(const TrainingOptions& options, std::int64_t total_steps);

// The recipe called `name` ("paper", "deepda"); throws std::invalid_argument naming the known ones.
TrainingOptions preset(const std::string& name);
std::vector<std::string> preset_names();

// The schedules that the options describe, over a run of total_steps.
Schedule lambda_schedule(const TrainingOptions& options, std::int64_t total_steps);
Schedule learning_rate_schedule(const TrainingOptions& options, std::int64_t total_steps);

// The names that the command line and saved configurations use: "ramp", "features", "sum_of_means",
// "progress", ... from_name throws std::invalid_argument that lists the choices.
std::string name_of(Math value);  // "f32", "tf32", "bf16", "tf32x3"
std::string name_of(LambdaSchedule value);
std::string name_of(LambdaAppliesTo value);
std::string name_of(DomainReduction value);
std::string name_of(LearningRateSchedule value);
Math math_from_name(const std::string& name);
LambdaSchedule lambda_schedule_from_name(const std::string& name);
LambdaAppliesTo lambda_applies_to_from_name(const std::string& name);
DomainReduction domain_reduction_from_name(const std::string& name);
LearningRateSchedule learning_rate_schedule_from_name(const std::string& name);

}  // namespace gradflip
