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

}  // namespace gradflip::ops
