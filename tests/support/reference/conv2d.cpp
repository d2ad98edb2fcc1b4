#include "tests/support/reference/conv2d.h"

namespace gradflip::reference {
namespace {

std::int64_t positions(std::int64_t size, std::int64_t taps, std::int64_t stride, std::int64_t pad,
                       std::int64_t dilation) {
  std::int64_t count = 0;
  for (std::int64_t first = -pad; first + dilation * (taps - 1) < size + pad; first += stride) {
    ++count;
  }
  return count;
}

// Calls visit(offset in x, offset in filter, offset in y) for every product of the convolution.
template <typename Visit>
void for_each_product(const Conv2dShape& shape, const Visit& visit) {
  const std::int64_t P = conv2d_output_height(shape);
  const std::int64_t Q = conv2d_output_width(shape);
  for (std::int64_t n = 0; n < shape.N; ++n) {
    for (std::int64_t p = 0; p < P; ++p) {
      for (std::int64_t q = 0; q < Q; ++q) {
        for (std::int64_t r = 0; r < shape.R; ++r) {
          for (std::int64_t s = 0; s < shape.S; ++s) {
            const std::int64_t h = p * shape.stride_h - shape.pad_h + r * shape.dilation_h;
            const std::int64_t w = q * shape.stride_w - shape.pad_w + s * shape.dilation_w;
            if (h < 0 || h >= shape.H || w < 0 || w >= shape.W) continue;
            for (std::int64_t c = 0; c < shape.C; ++c) {
              for (std::int64_t k = 0; k < shape.K; ++k) {
                visit(((n * shape.H + h) * shape.W + w) * shape.C + c,
                      ((r * shape.S + s) * shape.C + c) * shape.K + k,
                      ((n * P + p) * Q + q) * shape.K + k);
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace

std::int64_t conv2d_output_height(const Conv2dShape& shape) {
  return positions(shape.H, shape.R, shape.stride_h, shape.pad_h, shape.dilation_h);
}

std::int64_t conv2d_output_width(const Conv2dShape& shape) {
  return positions(shape.W, shape.S, shape.stride_w, shape.pad_w, shape.dilation_w);
}

Sums conv2d_forward(const Conv2dShape& shape, const std::vector<double>& x,
                    const std::vector<double>& filter) {
  Sums y(shape.N * conv2d_output_height(shape) * conv2d_output_width(shape) * shape.K);
  for_each_product(shape, [&](std::int64_t in, std::int64_t weight, std::int64_t out) {
    y.add(out, x.at(in) * filter.at(weight));
  });
  return y;
}

Sums conv2d_backward_data(const Conv2dShape& shape, const std::vector<double>& dy,
                          const std::vector<double>& filter) {
  Sums dx(shape.N * shape.H * shape.W * shape.C);
  for_each_product(shape, [&](std::int64_t in, std::int64_t weight, std::int64_t out) {
    dx.add(in, dy.at(out) * filter.at(weight));
  });
  return dx;
}

Sums conv2d_backward_filter(const Conv2dShape& shape, const std::vector<double>& x,
                            const std::vector<double>& dy) {
  Sums dfilter(shape.R * shape.S * shape.C * shape.K);
  for_each_product(shape, [&](std::int64_t in, std::int64_t weight, std::int64_t out) {
    dfilter.add(weight, x.at(in) * dy.at(out));
  });
  return dfilter;
}

}  // namespace gradflip::reference
