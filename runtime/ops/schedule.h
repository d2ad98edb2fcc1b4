// Values that follow the step counter, and the counter itself.
#pragma once

#include "kernels/schedule.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

// step: i64 scalar -> f32 scalar, the schedule's value on this step.
Value evaluate_schedule(Graph& graph, Value step, const Schedule& schedule);

// *step += 1, after everything that reads it.
void advance_step(Graph& graph, Value step);

// The schedule, if `op` evaluates one; null otherwise. For fusion.
const Schedule* evaluated_schedule(const Op& op);

}  // namespace gradflip::ops
