// Our own network for digits, of half as many operations again as the paper's: batch normalisation
// ahead of every activation, a leaky ReLU of .1, and dropout behind every pool.
//
//   feature_extractor   conv 5x5, 32 - pool 2 - conv 5x5, 64 - pool 2, without padding -
//                       conv 3x3, 128, padded - pool 2
//   label_predictor     128 - num_classes logits
//   domain_classifier   128 - 1 logit (or 2)
#pragma once

#include "models/network.h"
#include "models/network_options.h"

namespace gradflip {

Network digits_m(const NetworkInput& input, const NetworkOptions& options = {});

}  // namespace gradflip
