// Reference of kernels/mean_pool2d.h.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/pool2d.h"
#include "tests/support/reference/sums.h"

namespace gradflip::reference {

// The elements of x under the window of y[n,p,q,c].
inline std::vector<std::int64_t> under_window(const Pool2dShape& shape, std::int64_t n,
                                              std::int64_t p, std::int64_t q, std::int64_t c) {
  std::vector<std::int64_t> elements;
  for (std::int64_t r = 0; r < shape.window_h; ++r) {
    for (std::int64_t s = 0; s < shape.window_w; ++s) {
      const std::int64_t h = p * shape.stride_h - shape.pad_h + r;
      const std::int64_t w = q * shape.stride_w - shape.pad_w + s;
      if (h < 0 || h >= shape.H || w < 0 || w >= shape.W) continue;
      elements.push_back(((n * shape.H + h) * shape.W + w) * shape.C + c);
    }
  }
  return elements;
}

// visit(element of y, the elements of x under it)
template <typename Visit>
void for_each_mean(const Pool2dShape& shape, const Visit& visit) {
  std::int64_t y = 0;
  for (std::int64_t n = 0; n < shape.N; ++n) {
    for (std::int64_t p = 0; p < shape.P(); ++p) {
      for (std::int64_t q = 0; q < shape.Q(); ++q) {
        for (std::int64_t c = 0; c < shape.C; ++c) visit(y++, under_window(shape, n, p, q, c));
      }
    }
  }
}

inline Sums mean_pool2d_forward(const Pool2dShape& shape, const std::vector<double>& x) {
  Sums y(shape.N * shape.P() * shape.Q() * shape.C);
  for_each_mean(shape, [&](std::int64_t out, const std::vector<std::int64_t>& under) {
    for (const std::int64_t element : under) {
      y.add(out, x.at(static_cast<std::size_t>(element)) / static_cast<double>(under.size()));
    }
  });
  return y;
}

inline Sums mean_pool2d_backward(const Pool2dShape& shape, const std::vector<double>& dy) {
  Sums dx(shape.N * shape.H * shape.W * shape.C);
  for_each_mean(shape, [&](std::int64_t out, const std::vector<std::int64_t>& under) {
    for (const std::int64_t element : under) {
      dx.add(element, dy.at(static_cast<std::size_t>(out)) / static_cast<double>(under.size()));
    }
  });
  return dx;
}

}  // namespace gradflip::reference
