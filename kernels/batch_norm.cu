// Decomposition  forward, backward: an element per thread, grid-stride; a row's group is found by
//                going through the few runs. sums: a block takes 32 channels of a row, then a
//                second launch adds the rows of each group, eight lanes and a tree.
// Cost           memory-bound: 8 bytes per element forward, 8 for the sums, 12 backward; moments,
//                scale and shift come from the caches.
// Numerics       the order of sums depends on the shape alone.
#include <algorithm>

#include "kernels/batch_norm.h"
#include "kernels/cuda/channel_lanes.cuh"
#include "kernels/cuda/channel_norm.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/moments.h"

namespace gradflip {
namespace {

// Where an element stands.
struct Place {
  int group;
  std::int64_t c;
};

// Elements of a row and channels, as divisors.
struct Places {
  Divisor row, channels;

  __device__ __forceinline__ Place of(const BatchNorm& norm, std::int64_t element) const {
    const Quotient at = row.divide(element);
    return {norm.groups.group_of(at.quotient), channels.divide(at.remainder).remainder};
  }
};

// y may be x: each thread reads its element before it writes it.
__global__ void batch_norm_forward_kernel(BatchNorm norm, Places places, std::int64_t size,
                                          const float* x, float* y) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const auto [group, c] = places.of(norm, i);
    const float xhat = normalised(norm, group, c, x[i]);
    y[i] = rectified(norm.rectifier, unrectified(norm, group, c, xhat));
  }
}

// of_rows: (rows, 2, C).
__global__ void row_gradient_sums_kernel(BatchNorm norm, const float* __restrict__ x,
                                         const float* __restrict__ dy,
                                         float* __restrict__ of_rows) {
  const ChannelLane lane(norm.C);
  const std::int64_t row = blockIdx.x;
  const int group = norm.groups.group_of(row);
  float sum = 0.0F, product = 0.0F;
  if (lane.valid) {
    const std::int64_t first = row * norm.pixels * norm.C + lane.channel;
    for (std::int64_t pixel = lane.number; pixel < norm.pixels; pixel += kChannelLanes) {
      const std::int64_t at = first + pixel * norm.C;
      const float xhat = normalised(norm, group, lane.channel, x[at]);
      const float g = gradient(norm, group, lane.channel, xhat, dy[at]);
      sum += g;
      product = fmaf(g, xhat, product);
    }
  }
  sum = lane.sum(sum);
  product = lane.sum(product);
  if (!lane.valid || lane.number != 0) return;
  of_rows[row * 2 * norm.C + lane.channel] = sum;
  of_rows[(row * 2 + 1) * norm.C + lane.channel] = product;
}

__global__ void group_sums_kernel(RowGroups groups, std::int64_t C,
                                  const float* __restrict__ of_rows, Write write,
                                  float* __restrict__ sums) {
  const ChannelLane lane(C);
  const int group = static_cast<int>(blockIdx.x);
  for (int which = 0; which < 2; ++which) {
    float sum = 0.0F;
    for_each_row_of_lane(groups, group, lane, [&](std::int64_t row) {
      sum += of_rows[(row * 2 + which) * C + lane.channel];
    });
    sum = lane.sum(sum);
    if (!lane.valid || lane.number != 0) continue;
    float& to = sums[(std::int64_t{group} * 2 + which) * C + lane.channel];
    to = write == Write::kAccumulate ? to + sum : sum;
  }
}

// dx may be dy, for the same reason.
__global__ void batch_norm_backward_kernel(BatchNorm norm, Shares shares, Places places,
                                           std::int64_t size, const float* __restrict__ x,
                                           const float* dy, const float* __restrict__ sums,
                                           float* dx) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const auto [group, c] = places.of(norm, i);
    const float xhat = normalised(norm, group, c, x[i]);
    const float g = gradient(norm, group, c, xhat, dy[i]);
    dx[i] = input_gradient(norm, shares, sums, group, c, xhat, g);
  }
}

// shared: a bit for each group.
__global__ void batch_norm_parameters_kernel(int groups, unsigned shared, std::int64_t C,
                                             const float* __restrict__ sums,
                                             float* __restrict__ dscale,
                                             float* __restrict__ dshift) {
  for (std::int64_t c = global_thread(); c < C; c += global_threads()) {
    float scale = 0.0F, shift = 0.0F;
    for (int group = 0; group < groups; ++group) {
      if (((shared >> group) & 1U) == 0) continue;
      shift += sums[std::int64_t{group} * 2 * C + c];
      scale += sums[(std::int64_t{group} * 2 + 1) * C + c];
    }
    dscale[c] = scale;
    dshift[c] = shift;
  }
}

// folded may be weight: each thread reads its element before it writes it.
__global__ void fold_batch_norm_kernel(FoldShape shape, std::int64_t size, const float* weight,
                                       const float* __restrict__ moments,
                                       const float* __restrict__ scale,
                                       const float* __restrict__ shift, float* folded,
                                       float* __restrict__ bias) {
  const float* inverse = moments + 2 * shape.K;
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const std::int64_t k = i / shape.inner % shape.K;
    folded[i] = weight[i] * (scale[k] * inverse[k]);
  }
  for (std::int64_t k = global_thread(); k < shape.K; k += global_threads()) {
    bias[k] = shift[k] - moments[k] * (scale[k] * inverse[k]);
  }
}

std::int64_t size_of(const BatchNorm& norm) { return norm.groups.rows() * norm.pixels * norm.C; }

Places places_of(const BatchNorm& norm) { return {Divisor(norm.pixels * norm.C), Divisor(norm.C)}; }

}  // namespace

void batch_norm_forward(Cuda ctx, const BatchNorm& norm, const float* x, float* y) {
  require_valid(norm);
  const std::int64_t size = size_of(norm);
  if (size == 0) return;
  launch(batch_norm_forward_kernel, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx, norm,
         places_of(norm), size, x, y);
}

std::int64_t batch_norm_workspace_bytes(Cuda /*ctx*/, std::int64_t rows, std::int64_t C) {
  return rows * 2 * C * static_cast<std::int64_t>(sizeof(float));
}

void batch_norm_sums(Cuda ctx, const BatchNorm& norm, const float* x, const float* dy, Write write,
                     float* sums, void* workspace) {
  require_valid(norm);
  const std::int64_t rows = norm.groups.rows();
  auto* of_rows = static_cast<float*>(workspace);
  if (rows > 0) {
    launch(row_gradient_sums_kernel, channel_grid(rows, norm.C), kChannelBlock, 0, ctx, norm, x, dy,
           of_rows);
  }
  launch(group_sums_kernel, channel_grid(norm.groups.groups, norm.C), kChannelBlock, 0, ctx,
         norm.groups, norm.C, of_rows, write, sums);
}

void batch_norm_backward(Cuda ctx, const BatchNorm& norm, const BatchNormCounts& counts,
                         const float* x, const float* dy, const float* sums, float* dx) {
  require_valid(norm);
  const std::int64_t size = size_of(norm);
  if (size == 0) return;
  launch(batch_norm_backward_kernel, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx, norm,
         shares_of(counts), places_of(norm), size, x, dy, sums, dx);
}

void batch_norm_parameters(Cuda ctx, int groups, const SharedBy& shared, std::int64_t C,
                           const float* sums, float* dscale, float* dshift) {
  if (C == 0) return;
  unsigned bits = 0;
  for (int group = 0; group < groups; ++group) bits |= shared.group[group] ? 1U << group : 0U;
  launch(batch_norm_parameters_kernel, elementwise_grid(ctx, C), kElementwiseBlock, 0, ctx, groups,
         bits, C, sums, dscale, dshift);
}

void fold_batch_norm(Cuda ctx, const FoldShape& shape, const float* weight, const float* moments,
                     const float* scale, const float* shift, float* folded, float* bias) {
  const std::int64_t size = shape.outer * shape.K * shape.inner;
  if (shape.K == 0) return;
  launch(fold_batch_norm_kernel, elementwise_grid(ctx, std::max(size, shape.K)), kElementwiseBlock,
         0, ctx, shape, size, weight, moments, scale, shift, folded, bias);
}

}  // namespace gradflip
