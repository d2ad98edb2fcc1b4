// From rows to one value for the batch, and back; from a row's elements to one for the row, and
// back. Each is the gradient of the other of its pair.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"
#include "runtime/ops/row_weights.h"

namespace gradflip::ops {

struct SumRowsAttributes {
  Rows rows;
  RowWeights weights;
};

// x: f32 rows x (any shape) -> that shape without rows, each row times its weight, summed over the
// batch.
Value sum_rows(Graph& graph, Value x, const RowWeights& weights = {});
// The mean over all rows, and the sum of the means over each segment's.
Value mean_rows(Graph& graph, Value x);
Value sum_of_means(Graph& graph, Value x);

// x: f32 without rows -> `rows` x its shape: in each row x times the row's weight.
Value spread_rows(Graph& graph, Value x, Rows rows, const RowWeights& weights = {});

// x: f32 rows x (any shape) -> rows x (), the sum of each row's elements. A value without rows is
// one row.
Value sum_features(Graph& graph, Value x);
// x: f32 rows x () -> rows x `shape`, in each element its row's x; without rows, too.
Value spread_features(Graph& graph, Value x, const Shape& shape);

}  // namespace gradflip::ops
