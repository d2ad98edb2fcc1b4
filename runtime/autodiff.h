// Reverse-mode differentiation, graph to graph: appends the nodes that compute gradients. The
// executor has never heard of them.
#pragma once

#include <span>
#include <vector>

#include "runtime/graph.h"

namespace gradflip {

// The gradient of the sum of `losses` with respect to each value of `wrt`: a new value of the same
// type, or none() where no loss depends on it, but by way of operations that count as constants
// (Gradient::kConstant). A value that needs no gradient gets no node; contributions of several uses
// are added in the order in which autodiff meets them, last use first.
//
// Throws std::invalid_argument unless every loss is the first output of a loss op, and each stands
// in the list once; and where an operation between a loss and a value of `wrt` has no gradient
// rule, naming the operation; and for a parameter of another bank than the weights.
std::vector<Value> gradients(Graph& graph, std::span<const Value> losses,
                             std::span<const Value> wrt);

}  // namespace gradflip
