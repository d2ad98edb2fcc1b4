// Sums for each channel: a block of 256 threads takes 32 neighbouring channels, which a warp reads
// as one 128-byte line, and its eight lanes share what is summed over.
//
// Order   a lane's own terms in order, then a tree over the lanes: by the shape alone.
#pragma once

#include <cstdint>

#include "kernels/cuda/simt.h"
#include "kernels/row_groups.h"

namespace gradflip {

inline constexpr int kLaneChannels = 32;
inline constexpr int kChannelLanes = 8;
inline constexpr unsigned kChannelBlock = kLaneChannels * kChannelLanes;

// A block for each of `items` and each 32 channels: blockIdx.x counts items, blockIdx.y channels.
inline dim3 channel_grid(std::int64_t items, std::int64_t C) {
  return dim3(static_cast<unsigned>(items),
              static_cast<unsigned>((C + kLaneChannels - 1) / kLaneChannels));
}

struct ChannelLane {
  __device__ __forceinline__ explicit ChannelLane(std::int64_t C)
      : number(static_cast<int>(threadIdx.x) / kLaneChannels),
        channel(std::int64_t{blockIdx.y} * kLaneChannels + threadIdx.x % kLaneChannels),
        valid(channel < C) {}

  // Over the lanes of a channel; in all of them. A barrier: all threads take part.
  __device__ __forceinline__ float sum(float own) const {
    GRADFLIP_SHARED(float, partial, [kChannelBlock]);
    const int thread = static_cast<int>(threadIdx.x);
    __syncthreads();  // the sum before this one may still be read
    partial[thread] = own;
    __syncthreads();
    for (int distance = kChannelLanes / 2; distance > 0; distance /= 2) {
      if (number < distance) partial[thread] += partial[thread + distance * kLaneChannels];
      __syncthreads();
    }
    return partial[thread % kLaneChannels];
  }

  int number;
  std::int64_t channel;
  bool valid;
};

// Calls visit(row) for those of the group's rows that are this lane's; for no row of a channel that
// there is not.
template <typename Visit>
__device__ __forceinline__ void for_each_row_of_lane(const RowGroups& groups, int group,
                                                     const ChannelLane& lane, const Visit& visit) {
  if (!lane.valid) return;
  std::int64_t begin = 0;
  for (int run = 0; run < groups.runs; ++run) {
    const std::int64_t end = begin + groups.run[run].rows;
    if (groups.run[run].group == group) {
      for (std::int64_t row = begin + lane.number; row < end; row += kChannelLanes) visit(row);
    }
    begin = end;
  }
}

// What stands at `at` of the group's first row, of rows of 2*C floats; 0 where it has none.
__device__ __forceinline__ float first_of(const RowGroups& groups, int group, std::int64_t C,
                                          const float* at) {
  std::int64_t row = 0;
  for (int run = 0; run < groups.runs; ++run) {
    if (groups.run[run].group == group && groups.run[run].rows > 0) return at[row * 2 * C];
    row += groups.run[run].rows;
  }
  return 0.0F;
}

}  // namespace gradflip
