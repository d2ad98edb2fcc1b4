// A layer's weights with the normalisation of its outputs folded in (kernels/batch_norm.h).
#pragma once

#include "runtime/graph.h"
#include "runtime/ops/batch_norm.h"

namespace gradflip::ops {

struct Folded {
  Value weight, bias;
};

// weight: f32 (R, S, C, K) of a convolution, or (out, in) of a linear layer, without rows; moments:
// f32 (1, kMoments, K or out). Has no gradient: it is for evaluations.
Folded fold_batch_norm(Graph& graph, Value weight, Value moments, const ChannelAffine& affine);

}  // namespace gradflip::ops
