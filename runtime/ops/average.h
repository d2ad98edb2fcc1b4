// The running average of weights (kernels/average.h).
#pragma once

#include "runtime/graph.h"

namespace gradflip::ops {

// External values, but for the decay; none() where not needed.
struct AverageValues {
  Value averaged, weights;  // f32 (size); `averaged` is changed in place
  Value decay = {};         // f32 scalar, often ops::evaluate_schedule; none(): 1
  Value guard = {};         // u8 (sizeof(FiniteGuard)); none(): never frozen
  Value kinds = {};         // u8 (update_runs(size)); none(): everything
};

// averaged = d * averaged + (1 - d) * weights, d = factor * decay. State is updated in the order of
// the nodes: appended behind an update, it averages what that leaves.
void average(Graph& graph, const AverageValues& values, float factor = 1.0F);

}  // namespace gradflip::ops
