// Each picture's channels, made to mean 0 and deviation 1 by their own numbers.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct InstanceNormAttributes {
  float eps = 1e-5F;
};

// x: f32 rows x (H, W, C) -> the same type, (x - mean) / sqrt(variance + eps) over the pixels of
// each channel of each row: kernels/instance_norm.h. It may be differentiated twice.
Value instance_norm(Graph& graph, Value x, float eps = 1e-5F);

}  // namespace gradflip::ops
