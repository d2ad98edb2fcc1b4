// What convolutions have to do at least, for kernels and yardsticks alike, whatever they do beyond
// it: products that are not zero by construction, each array once.
#pragma once

#include "benchmarks/support/suite.h"
#include "kernels/conv_block.h"

namespace gradflip::bench {

struct ConvSizes {
  std::int64_t x = 0, filter = 0, y = 0;
};
inline ConvSizes sizes_of(const Conv2dShape& conv) {
  return {conv.N * conv.H * conv.W * conv.C, conv.R * conv.S * conv.C * conv.K,
          conv.N * conv.P() * conv.Q() * conv.K};
}
inline std::int64_t pooled_size(const ConvBlockShape& shape) {
  return shape.conv.N * shape.PP() * shape.PQ() * shape.conv.K;
}

inline double conv_flops(const Conv2dShape& conv) {
  const auto positions = static_cast<double>(conv.N * conv.P() * conv.Q());
  return 2.0 * positions * static_cast<double>(conv.K * conv.R * conv.S * conv.C);
}

// Forward, data gradient and filter gradient touch the same three arrays.
inline Work conv2d_work(const Conv2dShape& conv) {
  const ConvSizes sizes = sizes_of(conv);
  return {conv_flops(conv), 4.0 * static_cast<double>(sizes.x + sizes.filter + sizes.y)};
}

// Pooled values, or their gradients, and one byte each for the winner.
inline double conv_block_bytes(const ConvBlockShape& shape) {
  const ConvSizes sizes = sizes_of(shape.conv);
  return 4.0 * static_cast<double>(sizes.x + sizes.filter + shape.conv.K) +
         5.0 * static_cast<double>(pooled_size(shape));
}

inline Work conv_block_forward_work(const ConvBlockShape& shape) {
  return {conv_flops(shape.conv), conv_block_bytes(shape)};
}

// One position of each pool window has a gradient.
inline Work conv_block_backward_work(const ConvBlockShape& shape) {
  const auto window = static_cast<double>(shape.pool_h * shape.pool_w);
  return {conv_flops(shape.conv) / window, conv_block_bytes(shape)};
}

inline ConvBlockShape with_batch(ConvBlockShape shape, std::int64_t batch, Math math) {
  shape.conv.N = batch;
  shape.conv.math = math;
  return shape;
}

}  // namespace gradflip::bench
