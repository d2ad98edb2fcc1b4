// Reference of kernels/instance_norm.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/instance_norm.h"

namespace gradflip::reference {

struct InstanceNormOutput {
  std::vector<double> y, rstd;
};

// visit(element of (N, C), the elements of x in that channel of that picture)
template <typename Visit>
void for_each_channel(const InstanceNormShape& shape, const Visit& visit) {
  for (std::int64_t n = 0; n < shape.N; ++n) {
    for (std::int64_t c = 0; c < shape.C; ++c) {
      std::vector<std::size_t> elements;
      for (std::int64_t p = 0; p < shape.pixels; ++p) {
        elements.push_back(static_cast<std::size_t>((n * shape.pixels + p) * shape.C + c));
      }
      visit(static_cast<std::size_t>(n * shape.C + c), elements);
    }
  }
}

inline InstanceNormOutput instance_norm_forward(const InstanceNormShape& shape,
                                                const std::vector<double>& x) {
  InstanceNormOutput output{std::vector<double>(x.size()),
                            std::vector<double>(static_cast<std::size_t>(shape.N * shape.C))};
  const auto M = static_cast<double>(shape.pixels);
  for_each_channel(shape, [&](std::size_t channel, const std::vector<std::size_t>& elements) {
    double mean = 0.0, variance = 0.0;
    for (const std::size_t i : elements) mean += x.at(i) / M;
    for (const std::size_t i : elements) variance += (x[i] - mean) * (x[i] - mean) / M;
    const double rstd = 1.0 / std::sqrt(variance + shape.eps);
    output.rstd[channel] = rstd;
    for (const std::size_t i : elements) output.y[i] = (x[i] - mean) * rstd;
  });
  return output;
}

inline std::vector<double> instance_norm_backward(const InstanceNormShape& shape,
                                                  const std::vector<double>& y,
                                                  const std::vector<double>& rstd,
                                                  const std::vector<double>& dy) {
  std::vector<double> dx(y.size());
  const auto M = static_cast<double>(shape.pixels);
  for_each_channel(shape, [&](std::size_t channel, const std::vector<std::size_t>& elements) {
    double mean = 0.0, along = 0.0;
    for (const std::size_t i : elements) mean += dy.at(i) / M;
    for (const std::size_t i : elements) along += dy[i] * y.at(i) / M;
    for (const std::size_t i : elements) dx[i] = rstd.at(channel) * (dy[i] - mean - y[i] * along);
  });
  return dx;
}

}  // namespace gradflip::reference
