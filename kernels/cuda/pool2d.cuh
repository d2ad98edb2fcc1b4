// What the kernels of pools share: one thread makes one element of an NHWC tensor, forward of the
// output, backward of dx, which gathers from the windows that reach it instead of windows adding to
// dx by atomics.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/pool2d.h"

namespace gradflip {

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

// The part of an output's window that lies inside the picture.
template <typename Index>
struct PoolReach {
  Index h, w;  // of r = s = 0
  Index r_begin, r_end, s_begin, s_end;

  __device__ __forceinline__ PoolReach(const PoolGeometry<Index>& pool,
                                       const Position<Index>& out) {
    h = out.row * pool.stride_h - pool.pad_h;
    w = out.column * pool.stride_w - pool.pad_w;
    r_begin = max(Index{0}, -h);
    s_begin = max(Index{0}, -w);
    r_end = min(pool.window_h, pool.H - h);
    s_end = min(pool.window_w, pool.W - w);
  }
};

// The first window that reaches input row (or column) `at`, padding included.
template <typename Index>
__device__ __forceinline__ Index first_window(Index at, Index window, Index stride) {
  return at < window ? 0 : (at - window) / stride + 1;
}

// visit(p, q, r, s) for the windows that reach an input element, and its place in each, p by p.
template <typename Index, typename Visit>
__device__ __forceinline__ void for_each_window(const PoolGeometry<Index>& pool,
                                                const Position<Index>& at, const Visit& visit) {
  const Index h = at.row + pool.pad_h;
  const Index w = at.column + pool.pad_w;
  const Index p_end = min(pool.P, h / pool.stride_h + 1);
  const Index q_end = min(pool.Q, w / pool.stride_w + 1);
  for (Index p = first_window(h, pool.window_h, pool.stride_h); p < p_end; ++p) {
    for (Index q = first_window(w, pool.window_w, pool.stride_w); q < q_end; ++q) {
      visit(p, q, h - p * pool.stride_h, w - q * pool.stride_w);
    }
  }
}

// run(PoolGeometry<std::int32_t>), or of std::int64_t where an index or a product of sizes that a
// kernel forms may reach 2^31.
template <typename Run>
void with_pool_geometry(const Pool2dShape& shape, const Run& run) {
  const std::int64_t height = shape.H + 2 * shape.pad_h + shape.stride_h;
  const std::int64_t width = shape.W + 2 * shape.pad_w + shape.stride_w;
  constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max();
  const bool fits_int32 = height <= kLimit / width && height * width <= kLimit / shape.C &&
                          height * width * shape.C <= kLimit / std::max<std::int64_t>(1, shape.N);
  if (fits_int32) {
    run(PoolGeometry<std::int32_t>(shape));
  } else {
    run(PoolGeometry<std::int64_t>(shape));
  }
}

}  // namespace gradflip
