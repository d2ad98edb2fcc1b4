// Convolution of each row's picture: x rows x (H, W, C), filter (R, S, C, K) -> rows x (P, Q, K).
#pragma once

#include "kernels/conv2d.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

// What a convolution needs beyond its operands' shapes.
struct Conv2dGeometry {
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_h = 0, pad_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  Math math = Math::kF32;
};

Value conv2d(Graph& graph, Value x, Value filter, const Conv2dGeometry& geometry = {});

// Two for each multiply-add.
double conv2d_flops(const Conv2dShape& shape);

// The kernel's shape for N pictures of this type.
Conv2dShape conv2d_shape(const Conv2dGeometry& geometry, std::int64_t N, const Shape& x,
                         const Shape& filter);

}  // namespace gradflip::ops
