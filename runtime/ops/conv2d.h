// Convolution of each row's picture: x rows x (H, W, C), filter (R, S, C, K) -> rows x (P, Q, K).
#pragma once

#include <span>
#include <string_view>
#include <vector>

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

// dx, and dfilter, a sum over the batch, of a conv2d of such an x and filter; for gradient rules.
Value conv2d_backward_data(Graph& graph, const Conv2dGeometry& geometry, const Shape& x, Value dy,
                           Value filter);
Value conv2d_backward_filter(Graph& graph, const Conv2dGeometry& geometry, Value x, Value dy,
                             const Shape& filter);

// What conv2d makes of x and filter. Throws std::invalid_argument where they do not fit; `op` says
// so.
std::vector<ValueType> conv2d_types(std::string_view op, const Conv2dGeometry& geometry,
                                    std::span<const ValueType> inputs);

// Two for each multiply-add.
double conv2d_flops(const Conv2dShape& shape);

// The kernel's shape for N pictures of this type.
Conv2dShape conv2d_shape(const Conv2dGeometry& geometry, std::int64_t N, const Shape& x,
                         const Shape& filter);

}  // namespace gradflip::ops
