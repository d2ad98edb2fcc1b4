// The network of jvanvugt/pytorch-domain-adaptation (models.py, revgrad.py, adda.py): small, with
// dropout.
//
//   feature extractor   conv 5x5, 10 - pool 2 - ReLU - conv 5x5, 20 - pool 2 - drop channels .5, no
//                       padding, and no activation behind the second
//   label predictor     50 - ReLU - drop .5 - classes
//   domain classifier   50 - ReLU - 20 - ReLU - logits
#pragma once

#include "models/network.h"

namespace gradflip {

Network jvanvugt(const NetworkInput& input);

}  // namespace gradflip
