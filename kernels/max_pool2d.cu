// Max pooling of any geometry, alone: where conv_block does not absorb it.
//
//   forward    y[n,p,q,c] = max over r,s of x[n,h,w,c], winner[n,p,q,c] = r*window_w + s
//   backward   dx[n,h,w,c] = sum over the windows (p,q) that cover (h,w) and that it won of dy
//   h = p*stride_h - pad_h + r,  w = q*stride_w - pad_w + s;  NHWC, NPQC
//
// Decomposition  one output per thread (pool2d.cuh), grid-stride, forward and backward;
//                neighbouring threads take neighbouring channels, so that a warp's loads are whole
//                lines where C allows. A dx element asks each of its windows who won, at most
//                ceil(window / stride)^2 of them.
// Cost           memory-bound. Bytes per y element: forward 4 * window + 8 (overlaps come from the
//                caches), backward 4 per dx element and 8 per y element.
// Numerics       forward is a choice: the CPU's bits. Backward adds p by p, q by q, the CPU's
//                order: the CPU's bits too.
#include "kernels/cuda/pool2d.cuh"
#include "kernels/max_pool2d.h"

namespace gradflip {
namespace {

template <typename Index>
__global__ void max_pool2d_forward_kernel(std::int64_t size, PoolGeometry<Index> geometry,
                                          const float* __restrict__ x, float* __restrict__ y,
                                          std::int32_t* __restrict__ winner) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const Position<Index> at(static_cast<Index>(i), geometry.P, geometry.Q, geometry.C);
    const PoolReach<Index> reach(geometry, at);
    // A first place always exists; it leads until a larger value or a NaN comes.
    const float* image = x + at.n * geometry.H * geometry.W * geometry.C + at.c;
    const auto value_at = [&](Index r, Index s) {
      return image[((reach.h + r) * geometry.W + reach.w + s) * geometry.C];
    };
    float best = value_at(reach.r_begin, reach.s_begin);
    Index place = reach.r_begin * geometry.window_w + reach.s_begin;
    for (Index r = reach.r_begin; r < reach.r_end; ++r) {
      for (Index s = reach.s_begin; s < reach.s_end; ++s) {
        const float value = value_at(r, s);
        const bool wins = !(value <= best) && best == best;
        best = wins ? value : best;
        place = wins ? r * geometry.window_w + s : place;
      }
    }
    y[i] = best;
    winner[i] = static_cast<std::int32_t>(place);
  }
}

template <typename Index>
__global__ void max_pool2d_backward_kernel(std::int64_t size, PoolGeometry<Index> geometry,
                                           const float* __restrict__ dy,
                                           const std::int32_t* __restrict__ winner,
                                           float* __restrict__ dx) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const Position<Index> at(static_cast<Index>(i), geometry.H, geometry.W, geometry.C);
    float sum = 0.0F;
    for_each_window(geometry, at, [&](Index p, Index q, Index r, Index s) {
      const Index out = ((at.n * geometry.P + p) * geometry.Q + q) * geometry.C + at.c;
      if (winner[out] == r * geometry.window_w + s) sum += dy[out];
    });
    dx[i] = sum;
  }
}

template <typename Index>
__global__ void max_pool2d_take_kernel(std::int64_t size, PoolGeometry<Index> geometry,
                                       const float* __restrict__ x,
                                       const std::int32_t* __restrict__ winner,
                                       float* __restrict__ y) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const Position<Index> at(static_cast<Index>(i), geometry.P, geometry.Q, geometry.C);
    const PoolReach<Index> reach(geometry, at);
    const Index place = static_cast<Index>(winner[i]);
    const Index h = reach.h + place / geometry.window_w, w = reach.w + place % geometry.window_w;
    y[i] = x[((at.n * geometry.H + h) * geometry.W + w) * geometry.C + at.c];
  }
}

}  // namespace

void max_pool2d_forward(Cuda ctx, const Pool2dShape& shape, const float* x, float* y,
                        std::int32_t* winner) {
  require_valid(shape, "max_pool2d");
  const std::int64_t size = shape.N * shape.P() * shape.Q() * shape.C;
  if (size == 0) return;
  with_pool_geometry(shape, [&]<typename Index>(const PoolGeometry<Index>& geometry) {
    launch(max_pool2d_forward_kernel<Index>, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx,
           size, geometry, x, y, winner);
  });
}

void max_pool2d_backward(Cuda ctx, const Pool2dShape& shape, const float* dy,
                         const std::int32_t* winner, float* dx) {
  require_valid(shape, "max_pool2d");
  const std::int64_t size = shape.N * shape.H * shape.W * shape.C;
  if (size == 0) return;
  with_pool_geometry(shape, [&]<typename Index>(const PoolGeometry<Index>& geometry) {
    launch(max_pool2d_backward_kernel<Index>, elementwise_grid(ctx, size), kElementwiseBlock, 0,
           ctx, size, geometry, dy, winner, dx);
  });
}

void max_pool2d_take(Cuda ctx, const Pool2dShape& shape, const float* x, const std::int32_t* winner,
                     float* y) {
  require_valid(shape, "max_pool2d");
  const std::int64_t size = shape.N * shape.P() * shape.Q() * shape.C;
  if (size == 0) return;
  with_pool_geometry(shape, [&]<typename Index>(const PoolGeometry<Index>& geometry) {
    launch(max_pool2d_take_kernel<Index>, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx,
           size, geometry, x, winner, y);
  });
}

}  // namespace gradflip
