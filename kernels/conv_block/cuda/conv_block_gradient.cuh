// The gradient dy of the convolution's output as an operand:
//
//   backward_filter  dfilter (RSC, K)  = patches^T (RSC, positions) * dy (positions, K)
//   backward_data    dx (NHW, C)       = gathered dy (NHW, RSK) * filter by input channel (RSK, C)
//
// dy is dpooled where the window's winner is this position, else zero. It is made on its way from
// registers to shared memory and never exists elsewhere; what a dead window holds, NaN perhaps, is
// not used.
#pragma once

#include <cstdint>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cuda/conv_block_positions.cuh"
#include "kernels/cuda/tile_conv.cuh"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

// Gradients of kWidth neighbouring filters at one position, before it is known who won.
template <int kWidth>
struct PooledGradient {
  Floats<kWidth> dpooled;
  std::uint8_t winner[kWidth];
  int place;  // of the position in its window

  static constexpr int kNoPlace = -1;  // wins nothing

  // With kWidth 4 both arrays begin, and `offset` is, at a multiple of four elements.
  __device__ __forceinline__ static PooledGradient read(const float* dpooled,
                                                        const std::uint8_t* winner,
                                                        std::int64_t offset, int place) {
    PooledGradient gradient;
    gradient.dpooled = read_floats<kWidth>(dpooled + offset);
    if constexpr (kWidth == 4) {
      const uchar4 bytes = *reinterpret_cast<const uchar4*>(winner + offset);
      gradient.winner[0] = bytes.x;
      gradient.winner[1] = bytes.y;
      gradient.winner[2] = bytes.z;
      gradient.winner[3] = bytes.w;
    } else {
      gradient.winner[0] = winner[offset];
    }
    gradient.place = place;
    return gradient;
  }
  __device__ __forceinline__ static PooledGradient none() { return {{}, {}, kNoPlace}; }

  __device__ __forceinline__ Floats<kWidth> unpooled() const {
    Floats<kWidth> dy;
#pragma unroll
    for (int v = 0; v < kWidth; ++v) dy.at[v] = winner[v] == place ? dpooled.at[v] : 0.0F;
    return dy;
  }
};

// Four filters at once if those of every window begin 16 bytes.
inline bool vectors_fit(std::int64_t K, const float* dpooled, const std::uint8_t* winner) {
  return vectors_fit(K, dpooled) && reinterpret_cast<std::uintptr_t>(winner) % sizeof(uchar4) == 0;
}

// dy as (positions, K). B of backward_filter.
template <int kVector, typename Pool>
struct GradientByPositionLoader {
  static constexpr Along kAlong = Along::kOuter;
  static constexpr int kWidth = kVector;

  struct Outer {
    std::int64_t k;  // negative: outside
  };
  struct Inner {
    std::int64_t offset;
    int place;
  };
  using Fetched = PooledGradient<kWidth>;

  const float* dpooled = nullptr;
  const std::uint8_t* winner = nullptr;
  std::int64_t K = 0, windows = 0;
  typename Pool::Places places;

  GradientByPositionLoader(const ConvBlockShape& shape, const float* gradients,
                           const std::uint8_t* winners)
      : dpooled(gradients),
        winner(winners),
        K(shape.conv.K),
        windows(shape.conv.N * shape.PP() * shape.PQ()),
        places(shape.pool_h * shape.pool_w) {}

  __device__ __forceinline__ Outer outer(std::int64_t k) const { return {k < K ? k : -1}; }
  __device__ __forceinline__ Inner inner(std::int64_t i) const {
    const Quotient window = places.divide(i);
    if (window.quotient >= windows) return {0, Fetched::kNoPlace};
    return {window.quotient * K, static_cast<int>(window.remainder)};
  }

  __device__ __forceinline__ Fetched fetch(const Outer& outer, const Inner& inner) const {
    if (outer.k < 0 || inner.place == Fetched::kNoPlace) return Fetched::none();
    return Fetched::read(dpooled, winner, inner.offset + outer.k, inner.place);
  }

  __device__ __forceinline__ Floats<kWidth> value(const Fetched& fetched) const {
    return fetched.unpooled();
  }
};

// Along one axis of the image: the window, and the place in it, of the position whose filter
// begins at a padded input coordinate.
template <typename Pool>
struct PoolAxis {
  typename Pool::Stride stride;
  typename Pool::Side side;
  int windows;

  struct Place {
    int window, place;
  };

  PoolAxis(std::int64_t conv_stride, std::int64_t pool_side, std::int64_t window_count)
      : stride(conv_stride), side(pool_side), windows(static_cast<int>(window_count)) {}

  // False if no filter begins there, or none that is in a window.
  __device__ __forceinline__ bool find(int coordinate, Place& at) const {
    if (coordinate < 0) return false;
    const Quotient position = stride.divide(coordinate);
    const Quotient window = side.divide(position.quotient);
    at = {static_cast<int>(window.quotient), static_cast<int>(window.remainder)};
    return position.remainder == 0 && at.window < windows;
  }
};

// dy where an input pixel went: element (n*H*W + h*W + w, (r*S + s)*K + k) is dy[n,p,q,k] with
// p*stride_h = h + pad_h - r*dilation_h, zero where no such p or q is in a window. A of
// backward_data.
template <int kVector, typename Pool>
struct GradientByPixelLoader {
  static constexpr Along kAlong = Along::kK;
  static constexpr int kWidth = kVector;

  struct Outer {
    std::int64_t image;  // offset of dpooled[n]
    int h, w;            // in the padded image
  };
  struct Inner {
    int h, w, k;  // h and w: of the tap
  };
  using Fetched = PooledGradient<kWidth>;

  const float* dpooled = nullptr;
  const std::uint8_t* winner = nullptr;
  Divisor H, W, K, S;
  PoolAxis<Pool> axis_h, axis_w;
  std::int64_t pixels = 0, taps = 0, image = 0;
  int row = 0, pool_width = 1;
  int pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;

  GradientByPixelLoader(const ConvBlockShape& shape, const float* gradients,
                        const std::uint8_t* winners)
      : dpooled(gradients),
        winner(winners),
        H(shape.conv.H),
        W(shape.conv.W),
        K(shape.conv.K),
        S(shape.conv.S),
        axis_h(shape.conv.stride_h, shape.pool_h, shape.PP()),
        axis_w(shape.conv.stride_w, shape.pool_w, shape.PQ()),
        pixels(shape.conv.N * shape.conv.H * shape.conv.W),
        taps(shape.conv.R * shape.conv.S * shape.conv.K),
        image(shape.PP() * shape.PQ() * shape.conv.K),
        row(static_cast<int>(shape.PQ() * shape.conv.K)),
        pool_width(static_cast<int>(shape.pool_w)),
        pad_h(static_cast<int>(shape.conv.pad_h)),
        pad_w(static_cast<int>(shape.conv.pad_w)),
        dilation_h(static_cast<int>(shape.conv.dilation_h)),
        dilation_w(static_cast<int>(shape.conv.dilation_w)) {}

  __device__ __forceinline__ Outer outer(std::int64_t i) const {
    if (i >= pixels) return {0, kFarOutside, 0};
    const Quotient line = W.divide(i);
    const Quotient of_image = H.divide(line.quotient);
    return {of_image.quotient * image, static_cast<int>(of_image.remainder) + pad_h,
            static_cast<int>(line.remainder) + pad_w};
  }

  __device__ __forceinline__ Inner inner(std::int64_t k) const {
    // Beside kFarOutside, which is a row's: their difference would be a coordinate again.
    if (k >= taps) return {0, -kFarOutside, 0};
    const Quotient place = K.divide(k);
    const Quotient tap = S.divide(place.quotient);
    return {static_cast<int>(tap.quotient) * dilation_h,
            static_cast<int>(tap.remainder) * dilation_w, static_cast<int>(place.remainder)};
  }

  __device__ __forceinline__ Fetched fetch(const Outer& outer, const Inner& inner) const {
    typename PoolAxis<Pool>::Place h, w;
    if (!axis_h.find(outer.h - inner.h, h) || !axis_w.find(outer.w - inner.w, w)) {
      return Fetched::none();
    }
    const int in_row = w.window * static_cast<int>(K.value()) + inner.k;
    return Fetched::read(dpooled, winner, outer.image + std::int64_t{h.window} * row + in_row,
                         h.place * pool_width + w.place);
  }

  __device__ __forceinline__ Floats<kWidth> value(const Fetched& fetched) const {
    return fetched.unpooled();
  }
};

}  // namespace gradflip
