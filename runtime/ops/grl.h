// Gradient reversal (Ganin & Lempitsky 2015): the identity forward, a view that costs nothing;
// backward -lambda times what arrives. lambda is a value, so that it can follow a schedule.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct GrlAttributes {};
struct GrlBackwardAttributes {};  // of its gradient: inputs dy, lambda

// x: any f32; lambda: f32 scalar without rows.
Value grl(Graph& graph, Value x, Value lambda);

}  // namespace gradflip::ops
