// Values that follow the step counter, and the counter itself.
#pragma once

#include "kernels/schedule.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

// step: i64 scalar -> f32 scalar, the schedule's value on this step. The op's attributes are the
// schedule.
Value evaluate_schedule(Graph& graph, Value step, const Schedule& schedule);

struct AdvanceStepAttributes {};

// *step += 1, after everything that reads it.
void advance_step(Graph& graph, Value step);

}  // namespace gradflip::ops
