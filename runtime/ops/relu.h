// y = max(0, x), elementwise; NaN stays NaN.
#pragma once

#include "runtime/graph.h"

namespace gradflip::ops {

struct ReluAttributes {};

Value relu(Graph& graph, Value x);

// dx, from relu's output y and dy; for gradient rules.
Value relu_backward(Graph& graph, Value y, Value dy);

}  // namespace gradflip::ops
