// Reverse-mode differentiation, graph to graph: appends the nodes that compute gradients. The
// executor has never heard of them.
#pragma once

#include <span>
#include <vector>

#include "runtime/graph.h"

namespace gradflip {

// What arrives at a value from outside the graph: a value of the same type. none(): one at an f32
// scalar without rows; at the loss of an op that weighs its losses itself (Op::num_losses) it can
// only be that.
struct Seed {
  Value value, gradient = {};
};

// The gradient of the sum over the seeds of <gradient, value> with respect to each value of `wrt`:
// a new value of the same type, or none() where no seed depends on it, but by way of constants
// (Gradient::kConstant, Op::is_constant). A value that needs no gradient gets no node;
// contributions of several uses are added in the order in which autodiff meets them, seeds first,
// then the last use first. The nodes that come back can be differentiated again where their rules
// have gradients: linear layers, ReLU, bias, reversal, arithmetic and sums.
//
// Throws std::invalid_argument for a seed without gradient that is no scalar, or of another type;
// unless all losses of an op that has several are seeds; and where an operation between a seed and
// a value of `wrt` has no gradient rule, naming the operation; and for a parameter of another bank
// than the weights.
std::vector<Value> gradients(Graph& graph, std::span<const Seed> seeds, std::span<const Value> wrt);

}  // namespace gradflip
