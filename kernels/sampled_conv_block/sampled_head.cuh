// What stands at the head of a training step beside its first convolution: samples, pictures,
// labels, schedules.
#pragma once

#include <cstdint>

#include "kernels/cuda/simt.h"
#include "kernels/epoch_order.h"
#include "kernels/sampled_conv_block.h"
#include "kernels/sampled_conv_block/tile_sampled.cuh"

namespace gradflip {

struct Segment {
  SampledSegment sampled;
  std::int64_t first;  // its first row
};

// Everything but the convolution.
struct Head {
  Segment segments[kMaxSampledSegments];
  ScheduledValue schedules[kMaxSchedules];
  int num_segments, num_schedules;
  const std::int64_t* step;
  const float* mean;
  const float* scale;
  float* x;
  std::int64_t rows, pixels;
  int channels;
  unsigned tiles;  // blocks that convolve, where those after them do what is left

  // Arguments indexed at run time would be copied to local memory first: unrolled, every index is a
  // constant.
  __device__ __forceinline__ Segment segment_of(std::int64_t row) const {
    Segment segment = segments[0];
#pragma unroll
    for (int s = 1; s < static_cast<int>(kMaxSampledSegments); ++s) {
      if (s < num_segments && row >= segments[s].first) segment = segments[s];
    }
    return segment;
  }

  __device__ __forceinline__ std::int64_t index_of(const Segment& segment, std::int64_t row) const {
    const Sampler& sampler = segment.sampled.sampler;
    return sample_at(sampler, *step * sampler.batch + (row - segment.first));
  }

  __device__ __forceinline__ SampledPicture picture(const Segment& segment,
                                                    std::int64_t index) const {
    const std::int64_t bytes = pixels * segment.sampled.stored_channels;
    return {segment.sampled.images + index * bytes, segment.sampled.stored_channels != channels};
  }
};

__device__ __forceinline__ void evaluate_schedules(const Head& head, int thread) {
  if (thread < 0 || thread >= head.num_schedules) return;
  ScheduledValue scheduled = head.schedules[0];
#pragma unroll
  for (int i = 1; i < static_cast<int>(kMaxSchedules); ++i) {
    if (i == thread) scheduled = head.schedules[i];
  }
  *scheduled.value = static_cast<float>(schedule_at(scheduled.schedule, *head.step));
}

__device__ __forceinline__ void write_label(const Segment& segment, std::int64_t row,
                                            std::int64_t index) {
  if (segment.sampled.labels == nullptr) return;
  segment.sampled.row_labels[row - segment.first] = segment.sampled.labels[index];
}

inline Head head_of(const SampledConvBlock& block) {
  const Conv2dShape& conv = block.shape.conv;
  Head head{};
  for (const SampledSegment& segment : block.segments) {
    head.segments[head.num_segments++] = {segment, head.rows};
    head.rows += segment.rows;
  }
  for (const ScheduledValue& scheduled : block.schedules) {
    head.schedules[head.num_schedules++] = scheduled;
  }
  head.step = block.step;
  head.mean = block.mean;
  head.scale = block.scale;
  head.x = block.x;
  head.pixels = conv.H * conv.W;
  head.channels = static_cast<int>(conv.C);
  return head;
}

}  // namespace gradflip
