// Decomposition  forward a pooled element per thread, backward one of dx (pool2d.cuh), grid-stride;
//                neighbouring threads take neighbouring channels.
// Cost           memory-bound, with 2x2 windows in bytes per element of x: 4 and 9/4 forward, 8 and
//                5/4 backward; moments, scale and shift come from the caches.
// Numerics       per element as batch_norm.cu and max_pool2d.cu: their bits.
#include "kernels/batch_norm_pool.h"
#include "kernels/cuda/channel_norm.cuh"
#include "kernels/cuda/pool2d.cuh"

namespace gradflip {
namespace {

template <typename Index>
__global__ void batch_norm_pool_forward_kernel(BatchNorm norm, std::int64_t size,
                                               PoolGeometry<Index> geometry,
                                               const float* __restrict__ x, float* __restrict__ y,
                                               std::uint8_t* __restrict__ winner,
                                               float* __restrict__ at_winner) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const Position<Index> at(static_cast<Index>(i), geometry.P, geometry.Q, geometry.C);
    const int group = norm.groups.group_of(at.n);
    const Index first = ((at.n * geometry.H + at.row * geometry.window_h) * geometry.W +
                         at.column * geometry.window_w) *
                            geometry.C +
                        at.c;
    float best = 0.0F, best_x = 0.0F;
    Index place = 0;
    for (Index r = 0; r < geometry.window_h; ++r) {
      for (Index s = 0; s < geometry.window_w; ++s) {
        const float own = x[first + (r * geometry.W + s) * geometry.C];
        const float xhat = normalised(norm, group, at.c, own);
        const float value = rectified(norm.rectifier, unrectified(norm, group, at.c, xhat));
        const Index position = r * geometry.window_w + s;
        const bool wins = position == 0 || (!(value <= best) && best == best);
        best = wins ? value : best;
        best_x = wins ? own : best_x;
        place = wins ? position : place;
      }
    }
    y[i] = best;
    winner[i] = static_cast<std::uint8_t>(place);
    at_winner[i] = best_x;
  }
}

template <typename Index>
__global__ void batch_norm_pool_backward_kernel(BatchNorm norm, Shares shares, std::int64_t size,
                                                PoolGeometry<Index> geometry,
                                                const float* __restrict__ x,
                                                const float* __restrict__ dy,
                                                const std::uint8_t* __restrict__ winner,
                                                const float* __restrict__ sums,
                                                float* __restrict__ dx) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const Position<Index> at(static_cast<Index>(i), geometry.H, geometry.W, geometry.C);
    const int group = norm.groups.group_of(at.n);
    const Index p = at.row / geometry.window_h, q = at.column / geometry.window_w;
    float arriving = 0.0F;
    if (p < geometry.P && q < geometry.Q) {
      const Index out = ((at.n * geometry.P + p) * geometry.Q + q) * geometry.C + at.c;
      const Index position =
          (at.row - p * geometry.window_h) * geometry.window_w + at.column - q * geometry.window_w;
      if (winner[out] == position) arriving = dy[out];
    }
    const float xhat = normalised(norm, group, at.c, x[i]);
    const float g = gradient(norm, group, at.c, xhat, arriving);
    dx[i] = input_gradient(norm, shares, sums, group, at.c, xhat, g);
  }
}

}  // namespace

void batch_norm_pool_forward(Cuda ctx, const BatchNorm& norm, const Pool2dShape& pool,
                             const float* x, float* y, std::uint8_t* winner, float* at_winner) {
  require_valid(norm, pool);
  const std::int64_t size = pool.N * pool.P() * pool.Q() * pool.C;
  if (size == 0) return;
  with_pool_geometry(pool, [&]<typename Index>(const PoolGeometry<Index>& geometry) {
    launch(batch_norm_pool_forward_kernel<Index>, elementwise_grid(ctx, size), kElementwiseBlock, 0,
           ctx, norm, size, geometry, x, y, winner, at_winner);
  });
}

void batch_norm_pool_backward(Cuda ctx, const BatchNorm& norm, const BatchNormCounts& counts,
                              const Pool2dShape& pool, const float* x, const float* dy,
                              const std::uint8_t* winner, const float* sums, float* dx) {
  require_valid(norm, pool);
  const std::int64_t size = pool.N * pool.H * pool.W * pool.C;
  if (size == 0) return;
  with_pool_geometry(pool, [&]<typename Index>(const PoolGeometry<Index>& geometry) {
    launch(batch_norm_pool_backward_kernel<Index>, elementwise_grid(ctx, size), kElementwiseBlock,
           0, ctx, norm, shares_of(counts), size, geometry, x, dy, winner, sums, dx);
  });
}

}  // namespace gradflip
