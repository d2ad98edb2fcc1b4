// Reference of kernels/adam.h, written from the papers' algorithms. `update` counts from 1.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/adam.h"
#include "tests/support/reference/sums.h"

namespace gradflip::reference {

struct AdamResult {
  Sums weight, first_moment, second_moment;
};

inline AdamResult adam(const AdamOptions& options, double learning_rate, std::int64_t update,
                       const std::vector<double>& gradient, const std::vector<double>& weight,
                       const std::vector<double>& first_moment,
                       const std::vector<double>& second_moment, double gradient_scale = 1.0) {
  const auto size = static_cast<std::int64_t>(gradient.size());
  const double beta1 = options.beta1, beta2 = options.beta2, decay = options.weight_decay;
  AdamResult result{Sums(size), Sums(size), Sums(size)};
  for (std::int64_t i = 0; i < size; ++i) {
    double g = gradient_scale * gradient.at(i), magnitude = std::abs(g);
    if (!options.decoupled) {
      g += decay * weight.at(i);
      magnitude += std::abs(decay * weight.at(i));
    }
    result.first_moment.add(i, beta1 * first_moment.at(i));
    result.first_moment.add(i, (1.0 - beta1) * g);
    result.first_moment.scale[i] += (1.0 - beta1) * magnitude;
    result.second_moment.add(i, beta2 * second_moment.at(i));
    result.second_moment.add(i, (1.0 - beta2) * g * g);
    result.second_moment.scale[i] += 2.0 * (1.0 - beta2) * magnitude * magnitude;

    const auto t = static_cast<double>(update);
    const double m = result.first_moment.value[i] / (1.0 - std::pow(beta1, t));
    const double v = result.second_moment.value[i] / (1.0 - std::pow(beta2, t));
    result.weight.add(i, weight.at(i));
    if (options.decoupled) result.weight.add(i, -learning_rate * decay * weight.at(i));
    result.weight.add(i, -learning_rate * m / (std::sqrt(v) + options.epsilon));
    // The step inherits the rounding of both moments, and adds a few operations' own.
    const double unit =
        learning_rate / (1.0 - std::pow(beta1, t)) / (std::sqrt(v) + options.epsilon);
    const double of_root = result.second_moment.value[i] > 0.0
                               ? result.second_moment.scale[i] / result.second_moment.value[i]
                               : 0.0;
    result.weight.scale[i] += unit * (2.0 * result.first_moment.scale[i] +
                                      std::abs(result.first_moment.value[i]) * of_root);
  }
  return result;
}

}  // namespace gradflip::reference
