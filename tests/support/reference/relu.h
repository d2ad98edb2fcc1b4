// Reference of kernels/relu.h.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/rectifier.h"

namespace gradflip::reference {

inline std::vector<double> relu_forward(std::vector<double> x, const Rectifier& rectifier = {}) {
  for (double& value : x) {
    if (std::isnan(value)) continue;
    if (value < 0.0) value = rectifier.slope > 0.0F ? value * rectifier.slope : 0.0;
    if (value > rectifier.cap) value = rectifier.cap;
  }
  return x;
}

inline std::vector<double> relu_backward(const std::vector<double>& y, std::vector<double> dy,
                                         const Rectifier& rectifier = {}) {
  for (std::size_t i = 0; i < dy.size(); ++i) {
    if (std::isnan(y.at(i)) || std::isinf(y.at(i))) continue;
    if (!(y.at(i) > 0.0)) {
      dy[i] *= rectifier.slope;
    } else if (!(y.at(i) < rectifier.cap)) {
      dy[i] = 0.0;
    }
  }
  return dy;
}

}  // namespace gradflip::reference
