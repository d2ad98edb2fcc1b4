// The rows of some segments: a view. Its gradient places what arrives among zeros.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct SliceRowsAttributes {};
struct PlaceRowsAttributes {};

// rows: one or more neighbouring segments of those that x has.
Value slice_rows(Graph& graph, Value x, Rows rows);

// x's rows among zeros for the other segments of `rows`. The gradient of slice_rows.
Value place_rows(Graph& graph, Value x, Rows rows);

}  // namespace gradflip::ops
