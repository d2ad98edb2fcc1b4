// batch_norm, its rectifier and max_pool2d as one operation (kernels/batch_norm_pool.h), for pools
// whose windows neither overlap nor are padded: x rows x (H, W, C) -> rows x (H / window_h,
// W / window_w, C).
#pragma once

#include <cstdint>
#include <span>

#include "runtime/graph.h"
#include "runtime/ops/batch_norm.h"

namespace gradflip::ops {

struct BatchNormPoolAttributes {
  BatchNormAttributes norm;
  std::int64_t window_h = 2, window_w = 2;
};

// The rest as batch_norm's.
Value batch_norm_pool(Graph& graph, Value x, Value moments, std::span<const ChannelAffine> affine,
                      const BatchNormPoolAttributes& attributes);

}  // namespace gradflip::ops
