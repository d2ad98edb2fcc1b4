// One walk of a data gradient with a stride (kernels/conv2d/convolution_axis.h) for the tile engine:
//
//   dx (pixels of a class, C) = patches of dy (pixels, taps*K) * filter (taps*K, C)
// where taps are those that the class meets. A PatchLoader reads dy, as forward's does x.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/conv2d/convolution_axis.h"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/tile_conv.cuh"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

// A pair of walks, by rows and by columns, over a dy that lacks its padding.
struct GradientWalk {
  GradientWalk(const Conv2dShape& of, const ConvolutionAxis& rows, const ConvolutionAxis& columns,
               std::int64_t row_walk, std::int64_t column_walk)
      : shape(of), h(rows.walk(row_walk)), w(columns.walk(column_walk)) {
    const bool empty = h.taps == 0 || w.taps == 0;
    patches = {.N = of.N,
               .H = of.P(),
               .W = of.Q(),
               .C = of.K,
               .K = of.C,
               .R = empty ? 0 : h.taps,
               .S = empty ? 1 : w.taps,
               .pad_h = rows.before() - h.first,
               .pad_w = columns.before() - w.first,
               .dilation_h = h.dilation,
               .dilation_w = w.dilation};
    positions.count = of.N * h.count * w.count;
    positions.P = Divisor(h.count);
    positions.Q = Divisor(w.count);
  }

  Conv2dShape shape;
  AxisWalk h, w;
  Conv2dShape patches;          // of dy
  RowMajorPositions positions;  // in the class
};

// filter[r,s,c,k] as ((i*taps_w + j)*K + k, c), tap (i, j) being the walk's: B.
template <int kVector>
struct WalkedFilterLoader {
  static constexpr Along kAlong = Along::kK;
  static constexpr int kWidth = kVector;

  struct Outer {
    std::int64_t offset;  // negative: outside
  };
  using Inner = Outer;
  using Fetched = Floats<kWidth>;

  const float* filter = nullptr;
  Divisor K, columns;
  std::int64_t C = 0, taps = 0;
  std::int64_t first = 0, row_step = 0, column_step = 0;  // r*S + s of taps

  WalkedFilterLoader(const GradientWalk& walk, const float* data)
      : filter(data),
        K(walk.shape.K),
        columns(walk.patches.S),
        C(walk.shape.C),
        taps(walk.patches.R * walk.patches.S * walk.shape.K),
        first(walk.h.first_tap * walk.shape.S + walk.w.first_tap),
        row_step(walk.h.tap_step * walk.shape.S),
        column_step(walk.w.tap_step) {}

  __device__ __forceinline__ Outer outer(std::int64_t c) const {
    return {c < C ? c * K.value() : -1};
  }
  __device__ __forceinline__ Inner inner(std::int64_t k) const {
    if (k >= taps) return {-1};
    const Quotient place = K.divide(k);
    const Quotient tap = columns.divide(place.quotient);
    const std::int64_t at = first + tap.quotient * row_step + tap.remainder * column_step;
    return {at * C * K.value() + place.remainder};
  }

  __device__ __forceinline__ Fetched fetch(const Outer& outer, const Inner& inner) const {
    if (outer.offset < 0 || inner.offset < 0) return {};
    return read_floats<kWidth>(filter + (outer.offset + inner.offset));
  }

  __device__ __forceinline__ Floats<kWidth> value(const Fetched& fetched) const { return fetched; }
};

// A class' pixels, to their places in dx.
struct StoreWalk {
  float* dx = nullptr;
  RowMajorPositions positions;
  std::int64_t C = 0, H = 0, W = 0;
  std::int64_t first_h = 0, step_h = 1, first_w = 0, step_w = 1;

  StoreWalk(const GradientWalk& walk, float* data)
      : dx(data),
        positions(walk.positions),
        C(walk.shape.C),
        H(walk.shape.H),
        W(walk.shape.W),
        first_h(walk.h.out_first),
        step_h(walk.h.out_step),
        first_w(walk.w.out_first),
        step_w(walk.w.out_step) {}

  __device__ __forceinline__ void operator()(std::int64_t m, std::int64_t c, float sum) const {
    const OutputPosition at = positions(m);
    const std::int64_t row = at.n * H + first_h + at.p * step_h;
    dx[(row * W + first_w + at.q * step_w) * C + c] = sum;
  }
};

}  // namespace gradflip
