// A convolution on a tile unit (tiles.h): what conv_block_forward and conv_block_backward_data have
// in common.
//
// Decomposition  a tile of A is some neighbouring pixels of an output row x a chunk of a filter
//                row's run, read where it lies: from one pixel to the next is a stride, whether or
//                not runs overlap. A tile of B is that chunk's weights for 16 channels. Up to six
//                tiles of pixels are summed at a time: each tile of weights is loaded once for all.
// Runs           are cut into equal chunks. A run that is not whole chunks has to be filled up with
//                zeros by the caller: a weight of zero would not silence a neighbour's NaN.
// Numerics       products are exact, sums f32; denormals count as zero. Every output's sum is over
//                (r, run, chunk) from the bias, whatever the tiles: it does not depend on N.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/conv_block/amx/bf16.h"
#include "kernels/conv_block/amx/tiles.h"
#include "kernels/conv_block/cpu/bf16_convolution.h"

namespace gradflip {
namespace {

// `elements` neighbours in memory as the inner dimension of tile products: chunks of equally many
// pairs, no more than a tile's row holds.
struct PairChunks {
  explicit PairChunks(std::int64_t elements)
      : chunks(((elements + 1) / 2 + kTilePairs - 1) / kTilePairs),
        pairs(((elements + 1) / 2 + chunks - 1) / chunks) {}
  std::int64_t elements() const { return 2 * chunks * pairs; }

  std::int64_t chunks, pairs;
};

// `width` pixels of a row as tiles of equally many neighbours. The last one may overlap the one
// before it: what it computes twice is the same.
struct PixelTiles {
  explicit PixelTiles(std::int64_t row_width)
      : width(row_width),
        count((width + kTileRows - 1) / kTileRows),
        rows((width + count - 1) / count) {}
  std::int64_t begin(std::int64_t tile) const { return std::min(tile * rows, width - rows); }

  std::int64_t width, count, rows;
};

// Rows of bf16, runs whole chunks, and what is computed of them.
struct TileConvolution {
  std::int64_t R, runs;
  PairChunks run;
  // Elements from one filter row, run of it, output pixel or output row to the next.
  std::int64_t tap_row_stride, run_stride, pixel_stride, pixel_row_stride;
  PixelTiles pixels;     // of an output row
  std::int64_t columns;  // output channels, whole tiles

  TileShapes shapes() const { return product_shapes(pixels.rows, run.pairs); }
  std::int64_t weights_per_tile() const { return R * runs * run.chunks * run.pairs * kTilePairs; }
  std::int64_t weights() const { return columns / kTilePairs * weights_per_tile(); }
};

struct PixelTile {
  const std::uint16_t* x;
  float* out;
};

template <typename Tiles, std::size_t... kSum>
void convolve_tiles(std::index_sequence<kSum...> /*sums*/, const TileConvolution& convolution,
                    const PixelTile* tiles, const Bf16Pair* weights, const float* bias) {
  const std::int64_t pixel_bytes = convolution.pixel_stride * 2;
  const std::int64_t out_bytes = convolution.columns * 4;
  (Tiles::template load<kSum>(bias, 0), ...);
  for (std::int64_t r = 0; r < convolution.R; ++r) {
    for (std::int64_t run = 0; run < convolution.runs; ++run) {
      std::int64_t at = r * convolution.tap_row_stride + run * convolution.run_stride;
      for (std::int64_t chunk = 0; chunk < convolution.run.chunks; ++chunk) {
        Tiles::template load<kTileB>(weights, kTileRowBytes);
        ((Tiles::template load<kTileA>(tiles[kSum].x + at, pixel_bytes),
          Tiles::template multiply_add_bf16<kSum, kTileA, kTileB>()),
         ...);
        weights += convolution.run.pairs * kTilePairs;
        at += 2 * convolution.run.pairs;
      }
    }
  }
  (Tiles::template store<kSum>(tiles[kSum].out, out_bytes), ...);
}

template <typename Tiles, std::size_t kTiles = kSumTiles>
void convolve_up_to(std::size_t count, const TileConvolution& convolution, const PixelTile* tiles,
                    const Bf16Pair* weights, const float* bias) {
  if constexpr (kTiles > 1) {
    if (count < kTiles) {
      return convolve_up_to<Tiles, kTiles - 1>(count, convolution, tiles, weights, bias);
    }
  }
  convolve_tiles<Tiles>(std::make_index_sequence<kTiles>(), convolution, tiles, weights, bias);
}

// `rows` output rows. bias: (columns); out: (rows, width, columns), overwritten. Channels are the
// outer loop, so that their weights stay in the L1 cache. Needs convolution.shapes().
template <typename Tiles>
void convolve(const TileConvolution& convolution, std::int64_t rows, const std::uint16_t* x,
              const Bf16Pair* weights, const float* bias, float* out) {
  const PixelTiles& pixels = convolution.pixels;
  const std::int64_t tiles = rows * pixels.count;
  const std::int64_t groups = (tiles + kSumTiles - 1) / kSumTiles;
  for (std::int64_t column = 0; column < convolution.columns; column += kTilePairs) {
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t begin = tiles * group / groups;
      const std::int64_t end = tiles * (group + 1) / groups;
      PixelTile at[kSumTiles];
      for (std::int64_t tile = begin; tile < end; ++tile) {
        const std::int64_t row = tile / pixels.count;
        const std::int64_t pixel = pixels.begin(tile % pixels.count);
        at[tile - begin] = {
            x + row * convolution.pixel_row_stride + pixel * convolution.pixel_stride,
            out + (row * pixels.width + pixel) * convolution.columns + column};
      }
      convolve_up_to<Tiles>(static_cast<std::size_t>(end - begin), convolution, at, weights,
                            bias + column);
    }
    weights += convolution.weights_per_tile();
  }
}

}  // namespace
}  // namespace gradflip
