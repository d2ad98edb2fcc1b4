#include "tests/support/reference/max_pool2d.h"

#include <cmath>

namespace gradflip::reference {
namespace {

// Calls visit(n, top, left, c) for every window, in the order of the output.
template <typename Visit>
void for_each_window(const Pool2dShape& shape, const Visit& visit) {
  for (std::int64_t n = 0; n < shape.N; ++n) {
    for (std::int64_t top = -shape.pad_h; top + shape.window_h <= shape.H + shape.pad_h;
         top += shape.stride_h) {
      for (std::int64_t left = -shape.pad_w; left + shape.window_w <= shape.W + shape.pad_w;
           left += shape.stride_w) {
        for (std::int64_t c = 0; c < shape.C; ++c) visit(n, top, left, c);
      }
    }
  }
}

std::int64_t offset(const Pool2dShape& shape, std::int64_t n, std::int64_t h, std::int64_t w,
                    std::int64_t c) {
  return ((n * shape.H + h) * shape.W + w) * shape.C + c;
}

}  // namespace

MaxPool2dOutput max_pool2d_forward(const Pool2dShape& shape, const std::vector<double>& x) {
  MaxPool2dOutput output;
  for_each_window(shape, [&](std::int64_t n, std::int64_t top, std::int64_t left, std::int64_t c) {
    std::int32_t winner = -1;
    double largest = 0.0;
    for (std::int64_t r = 0; r < shape.window_h; ++r) {
      for (std::int64_t s = 0; s < shape.window_w; ++s) {
        const std::int64_t h = top + r;
        const std::int64_t w = left + s;
        if (h < 0 || h >= shape.H || w < 0 || w >= shape.W) continue;
        const double value = x.at(offset(shape, n, h, w, c));
        const bool first = winner < 0;
        const bool first_nan = std::isnan(value) && !std::isnan(largest);
        if (first || first_nan || value > largest) {
          largest = value;
          winner = static_cast<std::int32_t>(r * shape.window_w + s);
        }
      }
    }
    output.y.push_back(largest);
    output.winner.push_back(winner);
  });
  return output;
}

Sums max_pool2d_backward(const Pool2dShape& shape, const std::vector<double>& dy,
                         const std::vector<std::int32_t>& winner) {
  Sums dx(shape.N * shape.H * shape.W * shape.C);
  std::size_t output = 0;
  for_each_window(shape, [&](std::int64_t n, std::int64_t top, std::int64_t left, std::int64_t c) {
    const std::int64_t h = top + winner.at(output) / shape.window_w;
    const std::int64_t w = left + winner.at(output) % shape.window_w;
    dx.add(offset(shape, n, h, w, c), dy.at(output));
    ++output;
  });
  return dx;
}

}  // namespace gradflip::reference
