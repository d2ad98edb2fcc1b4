// Positions of the convolution inside conv_block, and x as a matrix over them. Positions are
// numbered window by window, so that those which compete are neighbours:
//   position = window * (pool_h*pool_w) + place
//   window = (n*PP + pp)*PQ + pq,  place = r*pool_w + s
//
//   forward          y (positions, K)  = patches (positions, RSC) * filter (RSC, K)
//   backward_filter  dfilter (RSC, K)  = patches^T (RSC, positions) * dy (positions, K)
//                    dbias (1, K)      = ones (1, positions) * dy
// The loaders are those of tile_conv.cuh; here is their order of positions, and the row of ones.
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

}  // namespace gradflip
