// All rows of a segment as one tensor without rows, for what compares each with each: Gram
// matrices, pairwise distances. linear(x, stack_rows(y)) has all products of a row of x with a row
// of y.
#pragma once

#include <cstdint>

#include "runtime/graph.h"

namespace gradflip::ops {

// x: f32 rows x (any shape of D elements) of one segment -> (rows, D). Complete when the batch is.
// A run with another number of rows throws std::invalid_argument. The gradient is rows_of.
Value stack_rows(Graph& graph, Value x, std::int64_t rows);

// stacked: f32 (rows, D) -> rows x (D) of one segment, which a run must have as many of, or
// std::invalid_argument is thrown. The gradient is stack_rows.
Value rows_of(Graph& graph, Value stacked, Rows segment);

}  // namespace gradflip::ops
