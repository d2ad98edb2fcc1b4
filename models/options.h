// The numbers that every method has: lengths, batches, the optimizer. Each is an option with its
// literature's name, because public implementations differ silently in them. A method's own are in
// models/methods; models/recipe.h holds both.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/math_mode.h"
#include "kernels/schedule.h"
#include "models/augmentation.h"
#include "models/network_options.h"
#include "models/option_field.h"
#include "models/pass.h"
#include "runtime/draft.h"

namespace gradflip {

enum class LearningRateSchedule {
  kProgress,  // learning_rate / (1 + alpha * p)^beta
  kStep,      // learning_rate * (1 + decay_gamma * step)^-decay_power
  kConstant,  // learning_rate
  kCosine,    // from learning_rate to learning_rate * learning_rate_end, by half a turn of a cosine
  kArc,       // the same, learning_rate * cos(acos(learning_rate_end) * p)
  kLinear,    // the same, evenly
};

// How the source's pictures are read; whoever reads files for a trainer does it (the trainer takes
// data as it is).
enum class SourceInk {
  kAsIs,
  kFull,  // every byte above 0 becomes 255 (tf-dann), ahead of all that is made of the pictures
};

enum class OptimizerKind { kSgd, kAdam };

// What byte b of a picture becomes, as a share x = b / 255.
enum class PixelScaling {
  kMean,      // x minus the mean of its channel over both training sets (the paper's choice)
  kUnit,      // x
  kHalf,      // (x - .5) / .5
  kFungtion,  // (x - .1307) / .3081 of the source, (x - .5) / .5 of the target
};

// Of batch normalisation with statistics per domain.
enum class BatchNormScale {
  kShared,  // one scale and shift for all domains
  kOwn,     // each has its own
};

// What batch normalisation normalises by in an evaluation.
enum class EvaluationStatistics {
  kRunning,    // what training has kept
  kEstimated,  // the statistics of the domain's training set under the weights as they are
};

constexpr std::int64_t kMaxSteps = 1'000'000'000'000;  // of a run

// The defaults are the paper's: Ganin et al., JMLR 17 (2016), section 5.2.
struct TrainingOptions {
  std::string preset = "paper";  // the recipe that the numbers were taken from
  std::string method = "dann";   // that the preset is a recipe of; no field describes it

  // How products may be rounded, in training and evaluation alike; accumulation and weights are
  // f32. It says how to compute, not what: no field describes it.
  Math precision = Math::kF32;

  std::int64_t epochs = 20;        // one epoch is floor(source size / source_batch) steps
  std::int64_t steps = 0;          // > 0: so many steps, whatever `epochs` says
  std::int64_t source_batch = 64;  // images per step; also the batch of a run on one domain
  std::int64_t target_batch = 64;

  SourceInk source_ink = SourceInk::kAsIs;

  // How pictures are changed on their way into a step, as models/augmentation.h reads it; "same" is
  // what augment says. Evaluation sees them as they are.
  std::string augment = "none";
  std::string source_augment = "same", target_augment = "same";

  double learning_rate = 0.01;
  LearningRateSchedule learning_rate_schedule = LearningRateSchedule::kProgress;
  double learning_rate_alpha = 10.0, learning_rate_beta = 0.75;
  double decay_gamma = 1e-3, decay_power = 0.75;
  double learning_rate_end = 0.0;
  std::int64_t warmup_steps =
      0;  // the first ones, in which the learning rate rises to its schedule
  OptimizerKind optimizer = OptimizerKind::kSgd;
  double momentum = 0.9;  // of SGD
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
  double weight_decay = 0.0;
  double label_smoothing = 0.0;

  std::string network = "paper-mnist";  // of network_list.h
  NetworkOptions network_options;
  PixelScaling pixels = PixelScaling::kMean;
  BatchStatistics batch_norm = BatchStatistics::kJoint;
  BatchNormScale batch_norm_scale = BatchNormScale::kShared;
  EvaluationStatistics evaluation_statistics = EvaluationStatistics::kRunning;
};

std::vector<OptionField> fields(TrainingOptions& options);

// Throws std::invalid_argument, naming the options, if the learning rate is 0 in f32 in the first
// step of a warm-up or at the end of a run of total_steps (> 0), though nothing that makes it is:
// where it is to end at 0, in the last step.
void require_together(const TrainingOptions& options, std::int64_t total_steps);

// What the options describe, over a run of total_steps.
Schedule learning_rate_schedule(const TrainingOptions& options, std::int64_t total_steps);

// Of the samples of one domain. Throws std::invalid_argument for text that cannot be read.
Augmentation source_augmentation(const TrainingOptions& options);
Augmentation target_augmentation(const TrainingOptions& options);

// An evaluation with these options; a training step adds what Pass::Training says.
Pass pass_of(const TrainingOptions& options);

// SGD with momentum, or Adam, with the weight decay of the options.
Optimizer optimizer_of(const TrainingOptions& options);

// As the command line writes a precision: "f32", "tf32", "bf16", "tf32x3". math_from_name throws
// std::invalid_argument that lists them.
std::string name_of(Math value);
Math math_from_name(const std::string& name);

}  // namespace gradflip
