// Gradient reversal (Ganin & Lempitsky 2015): the identity forward, a view that costs nothing;
// backward -lambda times what arrives. lambda is a value, so that it can follow a schedule.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

// x: any f32; lambda: f32 scalar without rows.
Value grl(Graph& graph, Value x, Value lambda);

// Is `op` the backward of grl: inputs dy, lambda? For fusion.
bool is_grl_backward(const Op& op);

}  // namespace gradflip::ops
