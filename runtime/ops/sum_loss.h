// A loss that is weight * the sum of all elements of x over the batch.
#pragma once

#include "runtime/graph.h"

namespace gradflip::ops {

struct SumLoss {
  Value loss;  // f32 scalar, a sum over the batch
};

SumLoss sum_loss(Graph& graph, Value x, float weight);

}  // namespace gradflip::ops
