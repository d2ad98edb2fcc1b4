// Reference of kernels/bias.h.
#pragma once

#include <vector>

#include "tests/support/reference/sums.h"

namespace gradflip::reference {

// The number of channels is bias.size().
inline Sums bias_forward(const std::vector<double>& x, const std::vector<double>& bias) {
  Sums y(static_cast<std::int64_t>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    y.add(static_cast<std::int64_t>(i), x[i]);
    y.add(static_cast<std::int64_t>(i), bias[i % bias.size()]);
  }
  return y;
}

inline Sums bias_backward(const std::vector<double>& dy, std::int64_t channels) {
  Sums dbias(channels);
  for (std::size_t i = 0; i < dy.size(); ++i) {
    dbias.add(static_cast<std::int64_t>(i) % channels, dy[i]);
  }
  return dbias;
}

}  // namespace gradflip::reference
