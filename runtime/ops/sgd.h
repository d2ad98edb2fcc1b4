// The optimizer's update of a range of the flat weights, and the guard that stops it once something
// is not finite.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernels/finite_guard.h"
#include "kernels/sgd.h"
#include "runtime/graph.h"

namespace gradflip::ops {

// The flat blocks that training keeps beside the graph, as external values: f32 (size), and the
// guard, u8 (sizeof(FiniteGuard)).
struct TrainingState {
  Value weights, gradients, velocity;
  Value step;
  Value guard;
};

// Elements [begin, end) of the flat weights. `after`: the gradients that must be complete.
void sgd(Graph& graph, const TrainingState& state, std::int64_t begin, std::int64_t end,
         const SgdOptions& options, Value learning_rate, std::span<const Value> after);

// Freezes the guard with quantity i if quantities[i] is not finite, in order. `after` as for sgd.
void check_finite(Graph& graph, const TrainingState& state, std::span<const Value> quantities,
                  std::span<const Value> after);

// What fusion needs to know of them: an sgd op's range and options, null for other ops; how many
// quantities a check_finite op checks, 0 for other ops.
struct SgdRange {
  std::int64_t begin = 0, end = 0;
  SgdOptions options;
};
const SgdRange* sgd_range(const Op& op);
std::int32_t check_finite_quantities(const Op& op);

}  // namespace gradflip::ops
