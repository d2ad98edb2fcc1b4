// Max pooling of each row's picture: rows x (H, W, C) -> rows x (P, Q, C).
#pragma once

#include "kernels/max_pool2d.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct Pool2dGeometry {
  std::int64_t window_h = 2, window_w = 2;
  std::int64_t stride_h = 2, stride_w = 2;
  std::int64_t pad_h = 0, pad_w = 0;
};

Value max_pool2d(Graph& graph, Value x, const Pool2dGeometry& geometry = {});

}  // namespace gradflip::ops
