// Reference of kernels/grl.h.
#pragma once

#include <vector>

namespace gradflip::reference {

inline std::vector<double> grl_forward(std::vector<double> x) { return x; }

inline std::vector<double> grl_backward(double lambda, std::vector<double> dy) {
  for (double& value : dy) value *= -lambda;
  return dy;
}

}  // namespace gradflip::reference
