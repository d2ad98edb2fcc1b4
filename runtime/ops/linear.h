// y = x weight^T: x rows x (any shape of in_features elements), weight (out_features, in_features).
#pragma once

#include "kernels/math_mode.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct LinearAttributes {
  Math math = Math::kF32;
};

Value linear(Graph& graph, Value x, Value weight, Math math = Math::kF32);

// Of the gradients of linear, which autodiff appends: dx = dy weight, as rows x `x`; and dweight =
// dy^T x, a sum over the batch.
struct LinearBackwardDataAttributes {
  Shape x;
  Math math = Math::kF32;
};
struct LinearBackwardWeightAttributes {
  Shape weight;
  Math math = Math::kF32;
};

}  // namespace gradflip::ops
