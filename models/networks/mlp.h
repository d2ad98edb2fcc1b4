// Hidden layers for rows of numbers, or pictures taken as such: by default the shape that Ganin et
// al., JMLR 17 (2016), section 5.1, train on two moons, whose activation is the sigmoid.
//
//   feature_extractor   15, ReLU, or as many layers and units as the options say
//   label_predictor     num_classes logits
//   domain_classifier   1 logit (or 2)
#pragma once

#include "models/network.h"
#include "models/network_options.h"

namespace gradflip {

Network mlp(const NetworkInput& input, const NetworkOptions& options = {});

}  // namespace gradflip
