// Ganin et al., JMLR 17 (2016), figure 4b: house numbers, and synthetic ones.
//
//   feature extractor   conv 5x5, 64 - ReLU - pool 3, stride 2 - conv 5x5, 64 - ReLU - pool 3,
//                       stride 2 - conv 5x5, 128 - ReLU, padded so that pictures of 32 pixels pass
//   label predictor     3072 - ReLU - 2048 - ReLU - classes, with dropout of .5
//   domain classifier   1024 - ReLU - 1024 - ReLU - logits
// The paper also limits the norms of the weights of this network, by how much it does not say.
#pragma once

#include "models/network.h"

namespace gradflip {

Network paper_svhn(const NetworkInput& input);

}  // namespace gradflip
