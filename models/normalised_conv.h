// What networks with batch normalisation repeat: a layer without a bias, its normalisation, and a
// leaky ReLU.
#pragma once

#include <cstdint>
#include <string>

#include "models/layers.h"

namespace gradflip {

inline constexpr float kLeak = 0.1F;

// <part>.conv<number>, then <part>.bn<number>.
Value normalised_conv(NetworkBuilder& network, const std::string& part, int number, Value x,
                      Conv2dOptions options);
// <part>.fc<number>, then <part>.bn<number>.
Value normalised_linear(NetworkBuilder& network, const std::string& part, int number, Value x,
                        std::int64_t out_features);

}  // namespace gradflip
