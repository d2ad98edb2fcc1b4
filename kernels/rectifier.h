// Activations of straight pieces, which their own output is enough to differentiate.
//
//   y = x > 0 ? min(x, cap) : slope * x
// ReLU is {0}, leaky ReLU {0.1}, ReLU6 {0, 6}, the identity {1}. A NaN stays a NaN.
#pragma once

#include <limits>

#include "kernels/host_device.h"

namespace gradflip {

struct Rectifier {
  float slope = 0.0F;                                  // in [0, 1]
  float cap = std::numeric_limits<float>::infinity();  // > 0

  // The plain one.
  bool is_relu() const { return slope == 0.0F && cap == std::numeric_limits<float>::infinity(); }
};

inline constexpr Rectifier kIdentity{.slope = 1.0F};

constexpr bool is_identity(const Rectifier& rectifier) {
  return rectifier.slope == 1.0F && rectifier.cap == std::numeric_limits<float>::infinity();
}

// Comparisons are the ones that a NaN fails, so that it passes. A slope of 0 gives 0 of an
// infinity, too.
GRADFLIP_HOST_DEVICE inline float rectified(const Rectifier& rectifier, float x) {
  if (x <= 0.0F) return rectifier.slope == 0.0F ? 0.0F : rectifier.slope * x;
  return x >= rectifier.cap ? rectifier.cap : x;
}

// dx, from the output y and dy. At a kink it is the piece's below 0, and none at the cap; where there
// is no cap, an infinity has none either.
GRADFLIP_HOST_DEVICE inline float rectified_gradient(const Rectifier& rectifier, float y,
                                                     float dy) {
  if (y <= 0.0F) return rectifier.slope == 0.0F ? 0.0F : rectifier.slope * dy;
  const bool is_capped =
      y >= rectifier.cap && rectifier.cap < std::numeric_limits<float>::infinity();
  return is_capped ? 0.0F : dy;
}

}  // namespace gradflip
