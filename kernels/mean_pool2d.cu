// Mean pooling of any geometry.
//
// Decomposition  one element per thread (pool2d.cuh), grid-stride, forward and backward;
//                neighbouring threads take neighbouring channels, so that a warp's loads are whole
//                lines where C allows. Of a global pool every thread walks a picture: N * C threads.
// Cost           memory-bound. Forward 4 bytes per x element that a window covers (overlaps come
//                from the caches) and 4 per y element, backward 4 per element of each.
// Numerics       sums row by row of a window, windows p by p: the CPU's order.
#include "kernels/cuda/pool2d.cuh"
#include "kernels/mean_pool2d.h"

namespace gradflip {
namespace {

template <typename Index>
__device__ __forceinline__ float share_of(const PoolReach<Index>& reach) {
  return 1.0F / static_cast<float>((reach.r_end - reach.r_begin) * (reach.s_end - reach.s_begin));
}

template <typename Index>
__global__ void mean_pool2d_forward_kernel(std::int64_t size, PoolGeometry<Index> geometry,
                                           const float* __restrict__ x, float* __restrict__ y) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const Position<Index> at(static_cast<Index>(i), geometry.P, geometry.Q, geometry.C);
    const PoolReach<Index> reach(geometry, at);
    const float* image = x + at.n * geometry.H * geometry.W * geometry.C + at.c;
    float sum = 0.0F;
    for (Index r = reach.r_begin; r < reach.r_end; ++r) {
      for (Index s = reach.s_begin; s < reach.s_end; ++s) {
        sum += image[((reach.h + r) * geometry.W + reach.w + s) * geometry.C];
      }
    }
    y[i] = sum * share_of(reach);
  }
}

template <typename Index>
__global__ void mean_pool2d_backward_kernel(std::int64_t size, PoolGeometry<Index> geometry,
                                            const float* __restrict__ dy, float* __restrict__ dx) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const Position<Index> at(static_cast<Index>(i), geometry.H, geometry.W, geometry.C);
    float sum = 0.0F;
    for_each_window(geometry, at, [&](Index p, Index q, Index /*r*/, Index /*s*/) {
      Position<Index> out = at;
      out.row = p;
      out.column = q;
      sum += dy[((at.n * geometry.P + p) * geometry.Q + q) * geometry.C + at.c] *
             share_of(PoolReach<Index>(geometry, out));
    });
    dx[i] = sum;
  }
}

}  // namespace

void mean_pool2d_forward(Cuda ctx, const Pool2dShape& shape, const float* x, float* y) {
  require_valid(shape, "mean_pool2d");
  const std::int64_t size = shape.N * shape.P() * shape.Q() * shape.C;
  if (size == 0) return;
  with_pool_geometry(shape, [&]<typename Index>(const PoolGeometry<Index>& geometry) {
    launch(mean_pool2d_forward_kernel<Index>, elementwise_grid(ctx, size), kElementwiseBlock, 0,
           ctx, size, geometry, x, y);
  });
}

void mean_pool2d_backward(Cuda ctx, const Pool2dShape& shape, const float* dy, float* dx) {
  require_valid(shape, "mean_pool2d");
  const std::int64_t size = shape.N * shape.H * shape.W * shape.C;
  if (size == 0) return;
  with_pool_geometry(shape, [&]<typename Index>(const PoolGeometry<Index>& geometry) {
    launch(mean_pool2d_backward_kernel<Index>, elementwise_grid(ctx, size), kElementwiseBlock, 0,
           ctx, size, geometry, dy, dx);
  });
}

}  // namespace gradflip
