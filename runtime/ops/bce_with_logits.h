// Binary cross-entropy of each row, with its gradient as softmax_cross_entropy.h has it.
#pragma once

#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct BceWithLogitsAttributes {
  float label_smoothing = 0.0F;
};

// logits: f32 rows x (1); labels: f32 rows x () in [0, 1], the same rows, constants to autodiff ->
// f32 rows x (), each row's loss (kernels/bce_with_logits.h).
Value bce_with_logits(Graph& graph, Value logits, Value labels);

// With labels moved towards a half: 1 becomes 1 - label_smoothing / 2.
struct SmoothedBce {
  Value losses;
  Value plain;  // those of the labels as they are, for show: no gradient goes through them
};
SmoothedBce smoothed_bce_with_logits(Graph& graph, Value logits, Value labels,
                                     float label_smoothing);

// Throws std::invalid_argument unless logits and labels fit. For operations that contain it.
void require_bce_with_logits(const ValueType& logits, const ValueType& labels);

}  // namespace gradflip::ops
