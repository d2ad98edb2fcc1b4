// Softmax cross-entropy of each row: its gradient with respect to the logits comes with it, because
// the logits are read once for both.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct SoftmaxCrossEntropyAttributes {
  float label_smoothing = 0.0F;
};

// logits: f32 rows x (num_classes); labels: i32 rows x (), the same rows -> f32 rows x (), each
// row's loss (kernels/softmax_cross_entropy.h). row_sums.h makes a loss of the batch from them.
// Its gradient rule has no gradient of its own.
Value softmax_cross_entropy(Graph& graph, Value logits, Value labels, float label_smoothing = 0.0F);

// Throws std::invalid_argument unless logits and labels fit. For operations that contain it.
void require_softmax_cross_entropy(const ValueType& logits, const ValueType& labels);

}  // namespace gradflip::ops
