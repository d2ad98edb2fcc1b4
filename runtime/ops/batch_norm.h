// Batch normalisation (kernels/batch_norm.h) of each row's channels.
#pragma once

#include <span>
#include <vector>

#include "kernels/rectifier.h"
#include "runtime/graph.h"
#include "runtime/op.h"
#include "runtime/ops/moments.h"

namespace gradflip::ops {

struct BatchNormAttributes {
  SegmentGroups groups;
  // The moments are those of x itself, and the gradient of x goes through them, too. Otherwise they
  // are constants.
  bool of_batch = true;
  Rectifier rectifier = kIdentity;
};

// f32 (C), without rows.
struct ChannelAffine {
  Value scale, shift;
};

// x: f32 rows x (..., C). moments: f32 (groups, kMoments, C), in the order of the groups. affine:
// one for all groups, or one for each. Differentiating a gradient of it throws.
Value batch_norm(Graph& graph, Value x, Value moments, std::span<const ChannelAffine> affine,
                 const BatchNormAttributes& attributes);

}  // namespace gradflip::ops
