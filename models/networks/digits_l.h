// Our own larger network for digits, of 6.5 times the operations of the paper's: batch normalisation
// ahead of every activation, a leaky ReLU of .1, and dropout behind every pool.
//
//   feature_extractor   conv 5x5, 32 - pool 2 - conv 3x3, 64 - conv 3x3, 64 - pool 2 -
//                       conv 3x3, 128 - conv 3x3, 128 - mean of every channel, all padded
//   label_predictor     num_classes logits
//   domain_classifier   128 - 1 logit (or 2)
#pragma once

#include "models/network.h"
#include "models/network_options.h"

namespace gradflip {

Network digits_l(const NetworkInput& input, const NetworkOptions& options = {});

}  // namespace gradflip
