// Outer product of two vectors per row.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct OuterProductAttributes {};

// a: f32 rows x (A), b: f32 of the same rows x (B) -> rows x (A*B), a_i b_j at i*B + j: for a
// conditional adversary, a the predictions and b the features. It may be differentiated as often as
// one likes.
Value outer_product(Graph& graph, Value a, Value b);

}  // namespace gradflip::ops
