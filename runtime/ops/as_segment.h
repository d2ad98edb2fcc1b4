// The rows of one segment read as those of another: a view, for rows that have partners, such as
// two views of one picture.
#pragma once

#include "runtime/graph.h"

namespace gradflip::ops {

// x and `to` have one segment each. Both segments need the same number of rows, which the executor
// checks when it runs: row n of the one is row n of the other. The gradient goes back the same way.
Value as_segment(Graph& graph, Value x, Rows to);

}  // namespace gradflip::ops
