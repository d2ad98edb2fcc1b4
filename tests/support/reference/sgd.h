// Reference of kernels/sgd.h.
#pragma once

#include <vector>

#include "kernels/sgd.h"
#include "tests/support/reference/sums.h"

namespace gradflip::reference {

struct SgdResult {
  Sums weight, velocity;
};

inline SgdResult sgd(const SgdOptions& options, double learning_rate,
                     const std::vector<double>& gradient, const std::vector<double>& weight,
                     const std::vector<double>& velocity) {
  const auto size = static_cast<std::int64_t>(gradient.size());
  SgdResult result{Sums(size), Sums(size)};
  for (std::int64_t i = 0; i < size; ++i) {
    result.velocity.add(i, static_cast<double>(options.momentum) * velocity.at(i));
    result.velocity.add(i, gradient.at(i));
    result.velocity.add(i, static_cast<double>(options.weight_decay) * weight.at(i));
    result.weight.add(i, weight.at(i));
    result.weight.add(i, -learning_rate * result.velocity.value[i]);
    // The update inherits the velocity's own rounding.
    result.weight.scale[i] += learning_rate * result.velocity.scale[i];
  }
  return result;
}

}  // namespace gradflip::reference
