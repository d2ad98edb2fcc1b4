// A weighed sum of rows' losses with its gradient in one pass over the logits. Made by fusion
// (fuse_losses): it must know the weights before it runs.
#pragma once

#include <variant>

#include "runtime/graph.h"
#include "runtime/op.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/row_weights.h"
#include "runtime/ops/softmax_cross_entropy.h"

namespace gradflip::ops {

using RowLoss = std::variant<SoftmaxCrossEntropyAttributes, BceWithLogitsAttributes>;

struct WeighedLossAttributes {
  RowLoss loss;
  Rows rows;
  RowWeights weights;
};

// logits, labels: as for the row's loss; times: an f32 scalar without rows, or none() for 1 -> an
// f32 scalar, the plain sum of the rows' losses (binary ones without the smoothing of their labels),
// for those who read it; its gradient, as a loss
// (Op::num_losses), is that of times * the sum of each row's loss times its weight.
Value weighed_loss(Graph& graph, Value logits, Value labels, Value times, const RowLoss& loss,
                   const RowWeights& weights);

}  // namespace gradflip::ops
