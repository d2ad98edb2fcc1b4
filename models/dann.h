// The paper's network for digits (Ganin et al., JMLR 17 (2016), figure 4a) in its three parts, and
// what joins them. For 3x28x28 pictures, 'valid' convolutions:
//
//   feature_extractor   conv 5x5 x 32, ReLU, max pool 2; conv 5x5 x 48, ReLU, max pool 2
//   label_predictor     100, ReLU; 100, ReLU; num_classes logits
//   domain_classifier   GRL; 100, ReLU; 1 logit (or 2)
#pragma once

#include <cstdint>
#include <vector>

#include "models/data/domain_data.h"
#include "models/data/network_input.h"
#include "models/layers.h"
#include "models/methods/dann_options.h"
#include "models/options.h"
#include "runtime/graph.h"
#include "runtime/objective.h"

namespace gradflip {

inline constexpr std::int64_t kImageSize = 28;
inline constexpr std::int64_t kImageChannels = 3;
inline constexpr std::int64_t kNumClasses = 10;

// 28x28 pictures of three channels, which enter as byte/255 minus the mean. channel_means: in units
// of a byte.
NetworkInput digits_input(std::vector<float> channel_means);

// x: rows x (28, 28, 3), or any pictures that leave the second pool something -> features
Value feature_extractor(NetworkBuilder& network, Value x);
// -> rows x (num_classes) logits
Value label_predictor(NetworkBuilder& network, Value features, std::int64_t num_classes);
// -> rows x (num_logits) logits. The gradient that reaches the features is reversed and scaled by
// lambda.
Value domain_classifier(NetworkBuilder& network, Value features, Value lambda,
                        std::int64_t num_logits);

// The domain loss of a step: source is domain 0, target 1.
struct DomainLoss {
  Value loss;     // f32 scalar: the plain sum over all rows
  Value correct;  // f32 scalar: rows that the domain classifier gets right
  Term term;      // what is to be made small, with domain_weight, the reduction and, where lambda
                  // applies to both, lambda
};
DomainLoss domain_loss(Graph& graph, Value domain_logits, const DannOptions& options,
                       const TrainingOptions& training, Value lambda);

}  // namespace gradflip
