// Binary cross-entropy of one logit a row: loss and gradient together.
#pragma once

#include "runtime/graph.h"
#include "runtime/ops/loss_options.h"

namespace gradflip::ops {

// The f32 scalar that comes back is the unweighted sum of the rows' losses, for display: divide by
// the rows. Its gradient is that of the weighted loss (loss_options.h).
//
// logits: rows x (1) f32; labels: rows x () f32 in [0, 1], the same rows.
Value bce_with_logits(Graph& graph, Value logits, Value labels, const LossOptions& options = {});

// The weights that the op was made with, for fusion: inputs are logits, labels and, if there is,
// times. Null for other ops.
const std::array<float, kMaxSegments>* bce_with_logits_weights(const Op& op);

}  // namespace gradflip::ops
