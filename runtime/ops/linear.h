// y = x weight^T: x rows x (any shape of in_features elements), weight (out_features, in_features).
#pragma once

#include <span>

#include "kernels/math_mode.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

Value linear(Graph& graph, Value x, Value weight, Math math = Math::kF32);

// The mode of linear itself, for fusion: null for other ops.
const Math* linear_math(const Op& op);

// Whether the op is the dx of linear, from dy and the weight: dx = dy weight, as rows x x_shape.
// Autodiff appends it; fusion looks for it, and for its mode of calculation: null for other ops.
const Math* linear_backward_data_math(const Op& op);

}  // namespace gradflip::ops
