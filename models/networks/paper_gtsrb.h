// Ganin et al., JMLR 17 (2016), figure 4c: traffic signs, and synthetic ones.
//
//   feature extractor   conv 5x5, 96 - ReLU - pool 2 - conv 3x3, 144 - ReLU - pool 2 - conv 5x5,
//                       256 - ReLU - pool 2, padded so that only pools make pictures smaller: the
//                       paper does not say
//   label predictor     512 - ReLU - classes
//   domain classifier   1024 - ReLU - 1024 - ReLU - logits
#pragma once

#include "models/network.h"

namespace gradflip {

Network paper_gtsrb(const NetworkInput& input);

}  // namespace gradflip
