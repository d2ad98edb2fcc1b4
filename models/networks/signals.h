// A network for signals, which are pictures of one row: (1, length, channels). Pictures of several
// rows are taken row by row, and pooled together.
//
//   feature_extractor   three times conv of 9, 5 and 3 taps, to 16, 32 and 64 channels - batch
//                       normalisation - ReLU - pool 2; the mean of every channel
//   label_predictor     64 - ReLU - num_classes logits
//   domain_classifier   64 - ReLU - 1 logit (or 2)
#pragma once

#include "models/network.h"

namespace gradflip {

Network signals(const NetworkInput& input);

}  // namespace gradflip
