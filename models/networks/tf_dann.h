// The network of pumpikano/tf-dann (MNIST-DANN.ipynb): the paper's figure 4a with padding that keeps
// the size of pictures, so three times as many features, and other initial values: weights from a
// normal distribution of deviation .1, cut off at two deviations, and biases of .1.
#pragma once

#include "models/network.h"

namespace gradflip {

Network tf_dann(const NetworkInput& input);

}  // namespace gradflip
