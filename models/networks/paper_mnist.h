// The paper's network for digits: Ganin et al., JMLR 17 (2016), figure 4a. 'valid' convolutions:
//
//   feature_extractor   conv 5x5 x 32, ReLU, max pool 2; conv 5x5 x 48, ReLU, max pool 2
//   label_predictor     100, ReLU; 100, ReLU; num_classes logits
//   domain_classifier   100, ReLU; 1 logit (or 2)
#pragma once

#include <cstdint>
#include <vector>

#include "models/network.h"
#include "models/options.h"

namespace gradflip {

inline constexpr std::int64_t kImageSize = 28;
inline constexpr std::int64_t kImageChannels = 3;
inline constexpr std::int64_t kNumClasses = 10;

// 28x28 pictures of three channels. channel_means: of both training sets, in units of a byte.
NetworkInput digits_input(std::vector<float> channel_means,
                          PixelScaling pixels = PixelScaling::kMean);

// For pictures of any size that leaves the second pool something, and any channels.
Network paper_mnist(const NetworkInput& input);

}  // namespace gradflip
