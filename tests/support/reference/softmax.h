// Reference of kernels/softmax.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/support/reference/sums.h"

namespace gradflip::reference {

// The scale of a log-probability is the way to it from the logit: to the largest, then to the sum.
inline Sums log_softmax(std::int64_t num_classes, const std::vector<double>& logits) {
  Sums y(static_cast<std::int64_t>(logits.size()));
  const auto C = static_cast<std::size_t>(num_classes);
  for (std::size_t row = 0; row < logits.size(); row += C) {
    const double largest = *std::max_element(logits.begin() + static_cast<std::ptrdiff_t>(row),
                                             logits.begin() + static_cast<std::ptrdiff_t>(row + C));
    double rest = -1.0;
    for (std::size_t j = row; j < row + C; ++j) rest += std::exp(logits[j] - largest);
    // What is far below 1 is lost beside it: add it up again without the largest.
    if (rest < 0.5) {
      rest = 0.0;
      for (std::size_t j = row; j < row + C; ++j) {
        if (logits[j] != largest) rest += std::exp(logits[j] - largest);
      }
    }
    for (std::size_t j = row; j < row + C; ++j) {
      y.add(static_cast<std::int64_t>(j), logits[j] - largest);
      y.add(static_cast<std::int64_t>(j), -std::log1p(rest));
    }
  }
  return y;
}

// An error of the log-probability is a relative one of the probability.
inline Sums softmax(std::int64_t num_classes, const std::vector<double>& logits) {
  Sums y = log_softmax(num_classes, logits);
  for (std::size_t i = 0; i < y.value.size(); ++i) {
    y.value[i] = std::exp(y.value[i]);
    y.scale[i] = y.value[i] * (1.0 + y.scale[i]);
  }
  return y;
}

inline Sums softmax_backward(std::int64_t num_classes, const std::vector<double>& y,
                             const std::vector<double>& dy) {
  Sums dx(static_cast<std::int64_t>(y.size()));
  for (std::int64_t j = 0; j < static_cast<std::int64_t>(y.size()); ++j) {
    dx.add(j, y[j] * dy.at(j));
    const std::int64_t row = j / num_classes * num_classes;
    for (std::int64_t k = row; k < row + num_classes; ++k) dx.add(j, -y[j] * y[k] * dy[k]);
  }
  return dx;
}

inline Sums log_softmax_backward(std::int64_t num_classes, const std::vector<double>& y,
                                 const std::vector<double>& dy) {
  Sums dx(static_cast<std::int64_t>(y.size()));
  for (std::int64_t j = 0; j < static_cast<std::int64_t>(y.size()); ++j) {
    dx.add(j, dy.at(j));
    const std::int64_t row = j / num_classes * num_classes;
    for (std::int64_t k = row; k < row + num_classes; ++k) dx.add(j, -std::exp(y[j]) * dy[k]);
  }
  return dx;
}

}  // namespace gradflip::reference
