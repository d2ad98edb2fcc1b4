// The norm of a group's gradients, and what clips it (kernels/gradient_norm.h).
#pragma once

#include <span>

#include "runtime/graph.h"

namespace gradflip::ops {

struct GradientNormValues {
  Value norm;    // f32 scalar
  Value factor;  // f32 scalar: UpdateValues::gradient_scale
};

// gradients: the external flat block, f32 (size). kinds: external, u8 (update_runs(size)); none():
// everything. max_norm > 0, infinite where the norm is only looked at. `after`: the gradients that
// must be complete.
GradientNormValues gradient_norm(Graph& graph, Value gradients, Value kinds, float max_norm,
                                 std::span<const Value> after);

}  // namespace gradflip::ops
