// Max pooling of any geometry, alone: where conv_block does not absorb it.
//
//   forward    y[n,p,q,c] = max over r,s of x[n,h,w,c], winner[n,p,q,c] = r*window_w + s
//   backward   dx[n,h,w,c] = sum over the windows (p,q) that cover (h,w) and that it won of dy
//   h = p*stride_h - pad_h + r,  w = q*stride_w - pad_w + s;  NHWC, NPQC
//
// Decomposition  one output per thread, grid-stride, forward and backward; neighbouring threads
//                take neighbouring channels, so that a warp's loads are whole lines where C allows.
//                Backward gathers: a dx element asks each of its windows who won, at most
//                ceil(window / stride)^2 of them, instead of windows adding to dx by atomics.
// Cost           memory-bound. Bytes per y element: forward 4 * window + 8 (overlaps come from the
//                caches), backward 4 per dx element and 8 per y element.
// Numerics       forward is a choice: the CPU's bits. Backward adds p by p, q by q, the CPU's
//                order: the CPU's bits too.
#include <algorithm>
#include <limits>

#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/max_pool2d.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

// The shape in the type that the kernel computes with. 64-bit divisions cost as much as a dozen
// 32-bit ones, and one thread does three of them, so 64 bits are only for tensors that need them.
template <typename Index>
struct PoolGeometry {
  Index H, W, C, P, Q;
  Index window_h, window_w, stride_h, stride_w, pad_h, pad_w;

  explicit PoolGeometry(const Pool2dShape& shape)
      : H(static_cast<Index>(shape.H)),
        W(static_cast<Index>(shape.W)),
        C(static_cast<Index>(shape.C)),
        P(static_cast<Index>(shape.P())),
        Q(static_cast<Index>(shape.Q())),
        window_h(static_cast<Index>(shape.window_h)),
        window_w(static_cast<Index>(shape.window_w)),
        stride_h(static_cast<Index>(shape.stride_h)),
        stride_w(static_cast<Index>(shape.stride_w)),
        pad_h(static_cast<Index>(shape.pad_h)),
        pad_w(static_cast<Index>(shape.pad_w)) {}
};

// Element `i` of an NHWC tensor.
template <typename Index>
struct Position {
  Index n, row, column, c;

  __device__ Position(Index i, Index rows, Index columns, Index channels) {
    c = i % channels;
    i /= channels;
    column = i % columns;
    i /= columns;
    row = i % rows;
    n = i / rows;
  }
};

template <typename Index>
__global__ void max_pool2d_forward_kernel(std::int64_t size, PoolGeometry<Index> geometry,
                                          const float* __restrict__ x, float* __restrict__ y,
                                          std::int32_t* __restrict__ winner) {
  const auto [H, W, C, P, Q, window_h, window_w, stride_h, stride_w, pad_h, pad_w] = geometry;
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const Position<Index> at(static_cast<Index>(i), P, Q, C);
    const Index h = at.row * stride_h - pad_h;
    const Index w = at.column * stride_w - pad_w;
    const Index r_begin = max(Index{0}, -h);
    const Index s_begin = max(Index{0}, -w);
    const Index r_end = min(window_h, H - h);
    const Index s_end = min(window_w, W - w);
    // Padding is narrower than the window, so a first position always exists; it leads until a
    // larger value or a NaN comes.
    const float* image = x + at.n * H * W * C + at.c;
    float best = image[((h + r_begin) * W + w + s_begin) * C];
    Index place = r_begin * window_w + s_begin;
    for (Index r = r_begin; r < r_end; ++r) {
      for (Index s = s_begin; s < s_end; ++s) {
        const float value = image[((h + r) * W + w + s) * C];
        const bool wins = !(value <= best) && best == best;
        best = wins ? value : best;
        place = wins ? r * window_w + s : place;
      }
    }
    y[i] = best;
    winner[i] = static_cast<std::int32_t>(place);
  }
}

// The first window that reaches input row (or column) `at`, padding included.
template <typename Index>
__device__ __forceinline__ Index first_window(Index at, Index window, Index stride) {
  return at < window ? 0 : (at - window) / stride + 1;
}

template <typename Index>
__global__ void max_pool2d_backward_kernel(std::int64_t size, PoolGeometry<Index> geometry,
                                           const float* __restrict__ dy,
                                           const std::int32_t* __restrict__ winner,
                                           float* __restrict__ dx) {
  const auto [H, W, C, P, Q, window_h, window_w, stride_h, stride_w, pad_h, pad_w] = geometry;
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const Position<Index> at(static_cast<Index>(i), H, W, C);
    const Index h = at.row + pad_h;
    const Index w = at.column + pad_w;
    const Index p_end = min(P, h / stride_h + 1);
    const Index q_end = min(Q, w / stride_w + 1);
    float sum = 0.0F;
    for (Index p = first_window(h, window_h, stride_h); p < p_end; ++p) {
      for (Index q = first_window(w, window_w, stride_w); q < q_end; ++q) {
        const Index out = ((at.n * P + p) * Q + q) * C + at.c;
        const Index place = (h - p * stride_h) * window_w + w - q * stride_w;
        if (winner[out] == place) sum += dy[out];
      }
    }
    dx[i] = sum;
  }
}

// No index or product of sizes that a kernel forms reaches 2^31.
bool fits_int32(const Pool2dShape& shape) {
  const std::int64_t height = shape.H + 2 * shape.pad_h + shape.stride_h;
  const std::int64_t width = shape.W + 2 * shape.pad_w + shape.stride_w;
  constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max();
  return height <= kLimit / width && height * width <= kLimit / shape.C &&
         height * width * shape.C <= kLimit / std::max<std::int64_t>(1, shape.N);
}

}  // namespace

void max_pool2d_forward(Cuda ctx, const Pool2dShape& shape, const float* x, float* y,
                        std::int32_t* winner) {
  require_valid(shape);
  const std::int64_t size = shape.N * shape.P() * shape.Q() * shape.C;
  if (size == 0) return;
  const auto run = [&]<typename Index>(PoolGeometry<Index> geometry) {
    launch(max_pool2d_forward_kernel<Index>, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx,
           size, geometry, x, y, winner);
  };
  if (fits_int32(shape)) {
    run(PoolGeometry<std::int32_t>(shape));
  } else {
    run(PoolGeometry<std::int64_t>(shape));
  }
}

void max_pool2d_backward(Cuda ctx, const Pool2dShape& shape, const float* dy,
                         const std::int32_t* winner, float* dx) {
  require_valid(shape);
  const std::int64_t size = shape.N * shape.H * shape.W * shape.C;
  if (size == 0) return;
  const auto run = [&]<typename Index>(PoolGeometry<Index> geometry) {
    launch(max_pool2d_backward_kernel<Index>, elementwise_grid(ctx, size), kElementwiseBlock, 0,
           ctx, size, geometry, dy, winner, dx);
  };
  if (fits_int32(shape)) {
    run(PoolGeometry<std::int32_t>(shape));
  } else {
    run(PoolGeometry<std::int64_t>(shape));
  }
}

}  // namespace gradflip
