// Which pictures of a data set the rows of one segment take on this step.
#pragma once

#include "kernels/sampling.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip::ops {

struct SampledRows {
  int segment = 0;
  Sampler sampler;
};

// step: i64 scalar. -> i64 rows of `segment` x (): the rows' indices in the data set. The sampler's
// batch is the segment's rows per step.
Value sample_indices(Graph& graph, Value step, int segment, const Sampler& sampler);

}  // namespace gradflip::ops
