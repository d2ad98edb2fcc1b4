// The numbers of the domain adversary. Public DANN implementations differ silently in these; here
// each is an option with the paper's name: Ganin et al., JMLR 17 (2016), eq. 10 and section 5.2.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/schedule.h"
#include "models/option_field.h"
#include "models/options.h"

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

// Whose features the label predictor is applied to in training. Its loss is the source's alone.
enum class LabelPredictorSees {
  kSourceFeatures,
  kAllFeatures,  // so that its batch normalisation has statistics of the target, too
};

struct DannOptions {
  double lambda = 1.0;  // the value that the ramp tends to, or the constant
  LambdaSchedule lambda_schedule = LambdaSchedule::kRamp;
  double gamma = 10.0;  // steepness of the ramp
  LambdaAppliesTo lambda_applies_to = LambdaAppliesTo::kFeatures;
  double domain_weight = 1.0;  // of the domain loss, for both parts that it reaches
  DomainReduction domain_reduction = DomainReduction::kSumOfMeans;
  std::int64_t domain_logits = 1;       // 1: binary cross-entropy; 2: softmax cross-entropy
  double domain_label_smoothing = 0.0;  // of the domain loss; what is shown of it is without
  LabelPredictorSees label_predictor_sees = LabelPredictorSees::kSourceFeatures;
  double pretraining = 0.0;  // share of the steps that learn the source's labels first
};

std::vector<OptionField> fields(DannOptions& options);

// Throws std::invalid_argument, naming the options, if in f32 a domain's weight, or at the end of a
// run of total_steps (> 0) lambda or its product with a domain's weight, is 0, though nothing that
// makes it is.
void require_together(const DannOptions& options, const TrainingOptions& training,
                      std::int64_t total_steps);

// What the options describe, over a run of total_steps.
Schedule lambda_schedule(const DannOptions& options, std::int64_t total_steps);

// The factor of each domain's mean loss in the total, by the reduction.
struct DomainWeights {
  float source = 1.0F, target = 1.0F;
};
DomainWeights domain_weights(const DannOptions& options, const TrainingOptions& training);

}  // namespace gradflip
