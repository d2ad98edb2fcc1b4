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

}  // namespace gradflip::ops
