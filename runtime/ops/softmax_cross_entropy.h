// Softmax cross-entropy: loss and gradient together, because the logits are read once for both.
#pragma once

#include "runtime/graph.h"
#include "runtime/ops/loss_options.h"

namespace gradflip::ops {

// The f32 scalar that comes back is the unweighted sum of the rows' losses, for display: divide by
// the rows. Its gradient is that of the weighted loss (loss_options.h).
//
// logits: rows x (num_classes) f32; labels: rows x () i32, the same rows.
Value softmax_cross_entropy(Graph& graph, Value logits, Value labels, float label_smoothing,
                            const LossOptions& options = {});

// What the op was made with, for fusion: inputs are logits, labels and, if there is, times.
struct SoftmaxCrossEntropyOptions {
  float label_smoothing = 0.0F;
  std::array<float, kMaxSegments> weights{};
};
// Null for other ops.
const SoftmaxCrossEntropyOptions* softmax_cross_entropy_options(const Op& op);

}  // namespace gradflip::ops
