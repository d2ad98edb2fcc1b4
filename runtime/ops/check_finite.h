// The guard that stops updates once something is not finite.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/finite_guard.h"
#include "runtime/graph.h"

namespace gradflip::ops {

// Freezes the guard with quantity i and the step if quantities[i] is not finite, in order. guard:
// external, u8 (sizeof(FiniteGuard)); step: external, the i64 counter; quantities: f32. `after`:
// the gradients that must be complete.
void check_finite(Graph& graph, Value guard, Value step, std::span<const Value> quantities,
                  std::span<const Value> after);

// How many quantities a check_finite op checks, 0 for other ops. For fusion.
std::int32_t check_finite_quantities(const Op& op);

}  // namespace gradflip::ops
