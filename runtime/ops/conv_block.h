// conv2d + bias + relu + max_pool2d as one operation, for pools that do not overlap and are not
// padded: x rows x (H, W, C), filter (R, S, C, K), bias (K) -> rows x (P / pool_h, Q / pool_w, K).
#pragma once

#include "kernels/conv_block.h"
#include "runtime/graph.h"
#include "runtime/ops/conv2d.h"

namespace gradflip::ops {

struct ConvBlockGeometry {
  Conv2dGeometry conv;
  std::int64_t pool_h = 2, pool_w = 2;
};

Value conv_block(Graph& graph, Value x, Value filter, Value bias,
                 const ConvBlockGeometry& geometry = {});

// dfilter and dbias of a conv_block, sums over the batch, from its x, the gradient of its output
// and its winners; for gradient rules.
std::vector<Value> conv_block_backward_filter(Graph& graph, const ConvBlockGeometry& geometry,
                                              const Shape& filter, Value x, Value dpooled,
                                              Value winner);

// The kernel's shape for N pictures of this type.
ConvBlockShape conv_block_shape(const ConvBlockGeometry& geometry, std::int64_t N, const Shape& x,
                                const Shape& filter);

}  // namespace gradflip::ops
