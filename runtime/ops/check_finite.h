// The guard that stops updates once something is not finite.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/finite_guard.h"
#include "runtime/graph.h"

namespace gradflip::ops {

struct CheckFiniteAttributes {
  std::int32_t first = 0, count = 0;  // quantities
};

// Freezes the guard with quantity first + i and the step if quantities[i] is not finite, in order:
// several graphs that share a guard count on. guard: external, u8 (sizeof(FiniteGuard)); step:
// external, the i64 counter; quantities: f32. `after`: the gradients that must be complete.
void check_finite(Graph& graph, Value guard, Value step, std::span<const Value> quantities,
                  std::span<const Value> after, std::int32_t first = 0);

}  // namespace gradflip::ops
