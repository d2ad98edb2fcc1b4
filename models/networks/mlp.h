// A small network for rows of numbers, or pictures taken as such: the shape that Ganin et al., JMLR
// 17 (2016), section 5.1, train on two moons.
//
//   feature_extractor   15, ReLU
//   label_predictor     num_classes logits
//   domain_classifier   1 logit (or 2)
#pragma once

#include "models/network.h"

namespace gradflip {

Network mlp(const NetworkInput& input);

}  // namespace gradflip
