// Max pooling of each row's picture: rows x (H, W, C) -> rows x (P, Q, C).
#pragma once

#include "kernels/max_pool2d.h"
#include "runtime/graph.h"
#include "runtime/op.h"
#include "runtime/ops/pool2d.h"

namespace gradflip::ops {

Value max_pool2d(Graph& graph, Value x, const Pool2dGeometry& geometry = {});

}  // namespace gradflip::ops
