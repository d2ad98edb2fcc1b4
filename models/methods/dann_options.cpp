#include "models/methods/dann_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kernels/require.h"
#include "models/f32_range.h"

namespace gradflip {
namespace {

constexpr const char* kAdversary = "Domain adversary";

void require_lasting_weights(const DannOptions& options, const DomainWeights& weights) {
  GRADFLIP_REQUIRE(
      options.domain_weight == 0.0 ||
          (is_normal_in_f32(weights.source) && is_normal_in_f32(weights.target)),
      fmt::format("--domain-weight: a domain's part of {} is below the smallest normal "
                  "number of f32, in which training computes, 1.2e-38",
                  options.domain_weight));
}

}  // namespace

std::vector<OptionField> fields(DannOptions& o) {
  return {
      real_option(
          {"lambda", kAdversary, "reversal strength: the constant, or what the ramp tends to"},
          o.lambda, RealRange::kAtLeastZero, UsedAs::kF32),
      choice_option({"lambda-schedule", kAdversary,
                     "ramp: lambda (2 / (1 + exp(-gamma p)) - 1) over progress p"},
                    o.lambda_schedule,
                    {{LambdaSchedule::kRamp, "ramp"}, {LambdaSchedule::kConstant, "constant"}}),
      only_with(real_option({"gamma", kAdversary, "steepness of the ramp"}, o.gamma,
                            RealRange::kAboveZero, UsedAs::kF64),
                "lambda-schedule", {"ramp"}),
      choice_option(
          {"lambda-applies-to", kAdversary,
           "features: feature extractor -lambda, domain classifier 1; both: -lambda and lambda"},
          o.lambda_applies_to,
          {{LambdaAppliesTo::kFeatures, "features"}, {LambdaAppliesTo::kBoth, "both"}}),
      real_option({"domain-weight", kAdversary,
                   "weight of the domain loss, for both parts that it reaches"},
                  o.domain_weight, RealRange::kAtLeastZero, UsedAs::kF32),
      choice_option(
          {"domain-reduction", kAdversary,
           "domain loss: sum of the two domains' means, half of that, or mean over all images"},
          o.domain_reduction,
          {{DomainReduction::kSumOfMeans, "sum_of_means"},
           {DomainReduction::kHalf, "half"},
           {DomainReduction::kMean, "mean"}}),
      whole_option(
          {"domain-logits", kAdversary, "1: binary cross-entropy; 2: softmax cross-entropy"},
          o.domain_logits, 1, 2),
      real_option({"domain-label-smoothing", kAdversary,
                   "s, of the domain loss: its labels 0 and 1 become s/2 and 1 - s/2"},
                  o.domain_label_smoothing, RealRange::kBelowOne, UsedAs::kF32),
      choice_option({"label-predictor-sees", kAdversary,
                     "in training, the source's features, or both domains', of which the target's "
                     "count in its batch normalisation and in no loss"},
                    o.label_predictor_sees,
                    {{LabelPredictorSees::kSourceFeatures, "source"},
                     {LabelPredictorSees::kAllFeatures, "both"}}),
      real_option({"pretraining", kAdversary, "share of the steps that learn the source first"},
                  o.pretraining, RealRange::kBelowOne, UsedAs::kF64),
  };
}

void require_together(const DannOptions& options, const TrainingOptions& training,
                      std::int64_t total_steps) {
  const DomainWeights weights = domain_weights(options, training);
  require_lasting_weights(options, weights);
  const double lambda = schedule_at(lambda_schedule(options, total_steps), total_steps);
  require_lasting("--lambda, --gamma", "ramp of lambda", options.lambda, lambda);
  // An infinite product diverges in the first step, which says so; one that is 0 trains nothing.
  const double reversed = lambda * std::min(weights.source, weights.target);
  GRADFLIP_REQUIRE(reversed == 0.0 || reversed >= std::numeric_limits<float>::min(),
                   fmt::format("--lambda, --domain-weight: with these values their product comes "
                               "to {}, below the smallest normal number of f32, in which training "
                               "computes, 1.2e-38",
                               reversed));
}

Schedule lambda_schedule(const DannOptions& options, std::int64_t total_steps) {
  Schedule schedule;
  schedule.kind = options.lambda_schedule == LambdaSchedule::kRamp ? Schedule::Kind::kSigmoidRamp
                                                                   : Schedule::Kind::kConstant;
  schedule.start = options.lambda;
  schedule.gamma = options.gamma;
  schedule.total_steps = total_steps;
  return schedule;
}

DomainWeights domain_weights(const DannOptions& options, const TrainingOptions& training) {
  const double w = options.domain_weight;
  switch (options.domain_reduction) {
    case DomainReduction::kSumOfMeans:
      break;
    case DomainReduction::kHalf:
      return {static_cast<float>(w / 2), static_cast<float>(w / 2)};
    case DomainReduction::kMean: {
      const auto source = static_cast<double>(training.source_batch);
      const auto target = static_cast<double>(training.target_batch);
      return {static_cast<float>(w * source / (source + target)),
              static_cast<float>(w * target / (source + target))};
    }
  }
  return {static_cast<float>(w), static_cast<float>(w)};
}

}  // namespace gradflip
