// conv2d + bias + rectifier in one pass: what fusion makes of them where no pool follows that
// conv_block takes in. x rows x (H, W, C), filter (R, S, C, K), bias (K) -> rows x (P, Q, K).
#pragma once

#include "kernels/rectifier.h"
#include "runtime/graph.h"
#include "runtime/ops/conv2d.h"

namespace gradflip::ops {

struct ConvLayerAttributes {
  Conv2dGeometry conv;
  Rectifier rectifier = kIdentity;
};

// bias: none() for none.
Value conv_layer(Graph& graph, Value x, Value filter, Value bias,
                 const ConvLayerAttributes& attributes);

}  // namespace gradflip::ops
