// The network of fungtion/DANN (model.py), the most copied implementation for MNIST to MNIST-M:
// batch normalisation behind every layer but the last, dropout of channels and of features.
//
//   feature extractor   conv 5x5, 64 - BN - pool 2 - ReLU - conv 5x5, 50 - BN - drop channels .5 -
//                       pool 2 - ReLU, no padding
//   label predictor     100 - BN - ReLU - drop .5 - 100 - BN - ReLU - classes
//   domain classifier   100 - BN - ReLU - logits
// ReLU and the dropping of channels commute with the pool, and stand where they cost least. There,
// layers ahead of a normalisation have biases, which it takes off again; here they have none.
#pragma once

#include "models/network.h"

namespace gradflip {

Network fungtion(const NetworkInput& input);

}  // namespace gradflip
