// Rectifiers, elementwise: kernels/rectifier.h. NaN stays NaN.
#pragma once

#include "kernels/rectifier.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct ReluAttributes {
  Rectifier rectifier;
};

// y = max(0, x)
Value relu(Graph& graph, Value x);
// y = x > 0 ? x : slope * x; slope in [0, 1].
Value leaky_relu(Graph& graph, Value x, float slope);
// y = min(max(0, x), 6)
Value relu6(Graph& graph, Value x);

// Whether it is the plain one, y = max(0, x), which is all that fused kernels know of rectifiers.
bool is_relu(const Op& op);

// dx, from the rectifier's output y and dy; for gradient rules.
Value relu_backward(Graph& graph, const Rectifier& rectifier, Value y, Value dy);

}  // namespace gradflip::ops
