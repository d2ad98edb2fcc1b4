// y = max(0, x), elementwise; NaN stays NaN.
#pragma once

#include "runtime/graph.h"

namespace gradflip::ops {

struct ReluAttributes {};

Value relu(Graph& graph, Value x);

}  // namespace gradflip::ops
