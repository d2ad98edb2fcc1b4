// Reference of kernels/relu.h.
#pragma once

#include <cmath>
#include <vector>

namespace gradflip::reference {

inline std::vector<double> relu_forward(std::vector<double> x) {
  for (double& value : x) {
    if (!std::isnan(value) && value < 0.0) value = 0.0;
  }
  return x;
}

inline std::vector<double> relu_backward(const std::vector<double>& y, std::vector<double> dy) {
  for (std::size_t i = 0; i < dy.size(); ++i) {
    if (!std::isnan(y.at(i)) && !(y.at(i) > 0.0)) dy[i] = 0.0;
  }
  return dy;
}

}  // namespace gradflip::reference
