// conv_block on pictures that it samples from data sets of bytes, with what else stands at the head
// of a step; fuse_sampled_input makes it.
#pragma once

#include <vector>

#include "kernels/schedule.h"
#include "runtime/graph.h"
#include "runtime/ops/conv_block.h"
#include "runtime/ops/sample.h"

namespace gradflip::ops {

// One segment's pictures: images u8 (count, H, W, 1 or C); labels i32 (count), or none().
struct SampledImages {
  SampledRows rows;
  Value images, labels;
};

struct SampledConvBlockInputs {
  Value step, mean, scale, filter, bias;
  std::vector<SampledImages> images;  // in ascending segments
};

struct SampledConvBlockOptions {
  ConvBlockGeometry geometry;
  std::vector<Schedule> schedules;  // evaluated on the same step
  bool keep_pictures = true;        // as floats, for the filter's gradient: without, it has none
};

struct SampledConvBlockOutputs {
  Value pooled;
  std::vector<Value> labels;     // i32 rows, of each of `images`; none() where it has none
  std::vector<Value> schedules;  // f32 scalars
};

// For contexts that take batches whole: a launch elsewhere throws.
SampledConvBlockOutputs sampled_conv_block(Graph& graph, const SampledConvBlockInputs& inputs,
                                           const SampledConvBlockOptions& options);

}  // namespace gradflip::ops
