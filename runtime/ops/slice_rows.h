// The rows of some segments: a view. Its gradient places what arrives among zeros.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

// rows: one or more neighbouring segments of those that x has.
Value slice_rows(Graph& graph, Value x, Rows rows);

// x's rows among zeros for the other segments of `rows`. The gradient of slice_rows.
Value place_rows(Graph& graph, Value x, Rows rows);

// Is `op` a place_rows? For fusion.
bool is_place_rows(const Op& op);

}  // namespace gradflip::ops
