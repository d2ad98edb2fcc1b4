// The same values in memory of their own.
#pragma once

#include "runtime/graph.h"

namespace gradflip::ops {

// x: f32.
Value copy(Graph& graph, Value x);

}  // namespace gradflip::ops
