// Mean pooling of each row's picture.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"
#include "runtime/ops/pool2d.h"

namespace gradflip::ops {

struct MeanPool2dAttributes {
  Pool2dGeometry geometry;
};
struct GlobalMeanPool2dAttributes {};

// rows x (H, W, C) -> rows x (P, Q, C); padding does not count.
Value mean_pool2d(Graph& graph, Value x, const Pool2dGeometry& geometry = {});
// rows x (H, W, C) -> rows x (C), the mean of each channel.
Value global_mean_pool2d(Graph& graph, Value x);
// The gradient of that: rows x (C) -> rows x `shape`, (H, W, C), in each pixel dy / (H W).
Value spread_mean2d(Graph& graph, Value dy, const Shape& shape);

}  // namespace gradflip::ops
