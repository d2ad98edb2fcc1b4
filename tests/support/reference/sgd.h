// Reference of kernels/sgd.h.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/sgd.h"
#include "tests/support/reference/sums.h"

namespace gradflip::reference {

struct SgdResult {
  Sums weight, velocity;
};

inline SgdResult sgd(const SgdOptions& options, double learning_rate,
                     const std::vector<double>& gradient, const std::vector<double>& weight,
                     const std::vector<double>& velocity, double gradient_scale = 1.0) {
  const auto size = static_cast<std::int64_t>(gradient.size());
  const double momentum = options.momentum, weight_decay = options.weight_decay;
  SgdResult result{Sums(size), Sums(size)};
  for (std::int64_t i = 0; i < size; ++i) {
    result.velocity.add(i, momentum * velocity.at(i));
    result.velocity.add(i, gradient_scale * gradient.at(i));
    result.velocity.add(i, weight_decay * weight.at(i));
    const double direction = options.nesterov
                                 ? gradient_scale * gradient.at(i) + weight_decay * weight.at(i) +
                                       momentum * result.velocity.value[i]
                                 : result.velocity.value[i];
    result.weight.add(i, weight.at(i));
    result.weight.add(i, -learning_rate * direction);
    // The update inherits the rounding of what it is made of.
    result.weight.scale[i] += 2.0 * learning_rate * result.velocity.scale[i];
  }
  return result;
}

}  // namespace gradflip::reference
