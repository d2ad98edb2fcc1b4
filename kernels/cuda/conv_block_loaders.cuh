// Operands of the products of conv_block that convolutions (tile_conv.cuh) do not share.
//
//   forward          y (positions, K)  = patches (positions, RSC) * filter (RSC, K)
//   backward_filter  dfilter (RSC, K)  = patches^T (RSC, positions) * dy (positions, K)
//                    dbias (1, K)      = ones (1, positions) * dy
//   backward_data    dx (NHW, C)       = gathered dy (NHW, RSK) * filter by input channel (RSK, C)
//
// Positions of the convolution are numbered window by window, so that those which compete are
// neighbours: window * (pool_h*pool_w) + place, window = (n*PP + pp)*PQ + pq, place = r*pool_w + s.
//
// dy is dpooled where the window's winner is this position, else zero. It is made on its way from
// registers to shared memory and never exists elsewhere; what a dead window holds, NaN perhaps, is
// not used.
#pragma once

#include <cstdint>

#include "kernels/conv_block.h"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/tile_conv.cuh"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

// A divisor that the kernel is compiled for: dividing is a shift, or nothing.
template <int kDivisor>
struct FixedDivisor {
  FixedDivisor() = default;
  explicit FixedDivisor(std::int64_t /*divisor*/) {}

  // x >= 0.
  __device__ __forceinline__ Quotient divide(std::int64_t x) const {
    const auto number = static_cast<std::uint64_t>(x);
    return {static_cast<std::int64_t>(number / kDivisor),
            static_cast<std::int64_t>(number % kDivisor)};
  }
};

// Nearly every network: windows of 2 x 2 over a convolution of stride 1.
struct PlainPool {
  using Stride = FixedDivisor<1>;
  using Side = FixedDivisor<2>;
  using Places = FixedDivisor<4>;
};
struct AnyPool {
  using Stride = Divisor;
  using Side = Divisor;
  using Places = Divisor;
};
inline bool is_plain(const ConvBlockShape& shape) {
  return shape.pool_h == 2 && shape.pool_w == 2 && shape.conv.stride_h == 1 &&
         shape.conv.stride_w == 1;
}

// Pool windows, and the positions in them.
template <typename Pool>
struct WindowPositions {
  std::int64_t count;  // of windows
  Divisor PP, PQ;
  typename Pool::Places places;
  typename Pool::Side pool_w;
  int pool_height, pool_width;

  explicit WindowPositions(const ConvBlockShape& shape)
      : count(shape.conv.N * shape.PP() * shape.PQ()),
        PP(shape.PP()),
        PQ(shape.PQ()),
        places(shape.pool_h * shape.pool_w),
        pool_w(shape.pool_w),
        pool_height(static_cast<int>(shape.pool_h)),
        pool_width(static_cast<int>(shape.pool_w)) {}

  __device__ __forceinline__ OutputPosition at(std::int64_t window, std::int64_t place) const {
    if (window >= count) return {-1, 0, 0};
    const Quotient row = PQ.divide(window);
    const Quotient image = PP.divide(row.quotient);
    const Quotient in_window = pool_w.divide(place);
    return {image.quotient,
            static_cast<int>(image.remainder) * pool_height + static_cast<int>(in_window.quotient),
            static_cast<int>(row.remainder) * pool_width + static_cast<int>(in_window.remainder)};
  }

  __device__ __forceinline__ OutputPosition operator()(std::int64_t i) const {
    const Quotient window = places.divide(i);
    return at(window.quotient, window.remainder);
  }
};

// The same in tiles of `rows` rows, of which the first windows * places have positions.
struct TiledPositions : WindowPositions<AnyPool> {
  Divisor rows;
  int windows;  // of a tile

  TiledPositions(const ConvBlockShape& shape, std::int64_t rows_of_tile, int windows_of_tile)
      : WindowPositions(shape), rows(rows_of_tile), windows(windows_of_tile) {}

  __device__ __forceinline__ OutputPosition operator()(std::int64_t i) const {
    const Quotient tile = rows.divide(i);
    const Quotient window = places.divide(tile.remainder);
    if (window.quotient >= windows) return {-1, 0, 0};
    return at(tile.quotient * windows + window.quotient, window.remainder);
  }
};

// Taps by positions, and a row of ones below the last tap.
template <int kVector, typename Pool>
struct PatchesAndOnes : PatchLoader<Along::kOuter, kVector, WindowPositions<Pool>> {
  using Patches = PatchLoader<Along::kOuter, kVector, WindowPositions<Pool>>;
  using Patches::Patches;
  struct Outer {
    typename Patches::Outer tap;
    bool ones;
  };

  __device__ __forceinline__ Outer outer(std::int64_t i) const {
    return {Patches::outer(i), i == this->taps};
  }
  __device__ __forceinline__ typename Patches::Fetched fetch(
      const Outer& outer, const typename Patches::Inner& position) const {
    if (outer.ones) return {1.0F};
    return Patches::fetch(outer.tap, position);
  }
};

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
