// Where gradients go in a graph, for autodiff and for rewrites that must not change it. By value
// id, 1 where it is so.
#pragma once

#include <span>
#include <vector>

#include "runtime/graph.h"

namespace gradflip {

// Values from which a gradient can reach one of `wrt`: these themselves and what is computed from
// them, but for constants (Gradient::kConstant, Op::is_constant) and whole numbers.
std::vector<char> values_that_depend_on(const Graph& graph, std::span<const Value> wrt);

// Values that a gradient can reach from one of `from`: these themselves and what they are computed
// from, but by way of constants.
std::vector<char> values_reached_from(const Graph& graph, std::span<const Value> from);

}  // namespace gradflip
