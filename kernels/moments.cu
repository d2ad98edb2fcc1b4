// Decomposition  row_moments: a block takes 32 channels of a row, eight lanes of threads share its
//                pixels, and a tree in shared memory adds the lanes. combine_moments: the same with
//                rows in place of pixels, a block for every 32 channels of a group.
//                update_running: a thread per channel goes through all updates in order.
// Cost           row_moments reads x once, 128 bytes a warp; the others are a launch each.
// Numerics       f32; the order of sums depends on the shape alone. Rows' means are summed as
//                differences from the first row's.
#include "kernels/cuda/channel_lanes.cuh"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/moments.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

__global__ void row_moments_kernel(std::int64_t pixels, std::int64_t C, const float* __restrict__ x,
                                   float* __restrict__ of_rows) {
  const ChannelLane lane(C);
  const float* row = x + std::int64_t{blockIdx.x} * pixels * C + lane.channel;
  float sum = 0.0F, squares = 0.0F;
  const float first = lane.valid ? row[0] : 0.0F;
  if (lane.valid) {
    for (std::int64_t pixel = lane.number; pixel < pixels; pixel += kChannelLanes) {
      const float shifted = row[pixel * C] - first;
      sum += shifted;
      squares = fmaf(shifted, shifted, squares);
    }
  }
  sum = lane.sum(sum);
  squares = lane.sum(squares);
  if (!lane.valid || lane.number != 0) return;
  const float shift = sum / static_cast<float>(pixels);
  const float difference = fmaf(-sum, shift, squares);
  float* to = of_rows + std::int64_t{blockIdx.x} * 2 * C + lane.channel;
  to[0] = first + shift;
  to[C] = difference < 0.0F ? 0.0F : difference;
}

__device__ __forceinline__ void write_moments(std::int64_t C, std::int64_t c, float mean,
                                              float variance, float epsilon, float* moments) {
  moments[c] = mean;
  moments[C + c] = variance;
  moments[2 * C + c] = 1.0F / sqrtf(variance + epsilon);
}

__global__ void combine_moments_kernel(RowGroups groups, std::int64_t pixels, std::int64_t C,
                                       float epsilon, const float* __restrict__ of_rows,
                                       float* __restrict__ moments) {
  const ChannelLane lane(C);
  const int group = static_cast<int>(blockIdx.x);
  const auto rows = static_cast<float>(groups.rows_of(group) > 0 ? groups.rows_of(group) : 1);
  const float first = lane.valid ? first_of(groups, group, C, of_rows + lane.channel) : 0.0F;
  float sum = 0.0F;
  for_each_row_of_lane(groups, group, lane, [&](std::int64_t row) {
    sum += of_rows[row * 2 * C + lane.channel] - first;
  });
  const float mean = first + lane.sum(sum) / rows;
  float variance = 0.0F;
  for_each_row_of_lane(groups, group, lane, [&](std::int64_t row) {
    const float* at = of_rows + row * 2 * C + lane.channel;
    const float from_mean = at[0] - mean;
    variance += fmaf(from_mean, from_mean, at[C] / static_cast<float>(pixels));
  });
  variance = lane.sum(variance) / rows;
  if (!lane.valid || lane.number != 0) return;
  write_moments(C, lane.channel, mean, variance, epsilon, moments + group * kMoments * C);
}

__global__ void known_moments_kernel(std::int64_t C, float epsilon, const float* __restrict__ mean,
                                     const float* __restrict__ variance,
                                     float* __restrict__ moments) {
  for (std::int64_t c = global_thread(); c < C; c += global_threads()) {
    write_moments(C, c, mean[c], variance[c], epsilon, moments);
  }
}

struct RunningList {
  RunningMoments list[kMaxRunningMoments];
  int count;
};

__global__ void update_running_kernel(RunningList running, Scale times,
                                      const std::int32_t* frozen) {
  if (frozen != nullptr && *frozen != 0) return;
  const float factor = value_of(times);
  const std::int64_t c = global_thread();
  for (int i = 0; i < running.count; ++i) {
    const RunningMoments& each = running.list[i];
    if (c >= each.C) continue;
    const float rate = factor * each.momentum;
    each.mean[c] = folded(rate, each.mean[c], each.moments[c]);
    each.variance[c] = folded(rate, each.variance[c], each.moments[each.C + c] * each.correction);
  }
}

}  // namespace

void row_moments(Cuda ctx, std::int64_t rows, std::int64_t pixels, std::int64_t C, const float* x,
                 float* of_rows) {
  require_valid_moments(rows, pixels, C);
  if (rows == 0) return;
  launch(row_moments_kernel, channel_grid(rows, C), kChannelBlock, 0, ctx, pixels, C, x, of_rows);
}

void combine_moments(Cuda ctx, const RowGroups& groups, std::int64_t pixels, std::int64_t C,
                     float epsilon, const float* of_rows, float* moments) {
  require_valid(groups);
  require_valid_moments(groups.rows(), pixels, C);
  launch(combine_moments_kernel, channel_grid(groups.groups, C), kChannelBlock, 0, ctx, groups,
         pixels, C, epsilon, of_rows, moments);
}

void known_moments(Cuda ctx, std::int64_t C, float epsilon, const float* mean,
                   const float* variance, float* moments) {
  require_valid_moments(0, 1, C);
  launch(known_moments_kernel, elementwise_grid(ctx, C), kElementwiseBlock, 0, ctx, C, epsilon,
         mean, variance, moments);
}

void update_running(Cuda ctx, std::span<const RunningMoments> running, Scale times,
                    const std::int32_t* frozen) {
  GRADFLIP_REQUIRE(running.size() <= kMaxRunningMoments,
                   message("moments: ", running.size(), " running ones, at most ",
                           kMaxRunningMoments, " at once"));
  RunningList list{};
  std::int64_t most = 0;
  for (const RunningMoments& each : running) {
    list.list[list.count++] = each;
    most = each.C > most ? each.C : most;
  }
  if (most == 0) return;
  const dim3 grid(static_cast<unsigned>((most + kElementwiseBlock - 1) / kElementwiseBlock));
  launch(update_running_kernel, grid, kElementwiseBlock, 0, ctx, list, times, frozen);
}

}  // namespace gradflip
