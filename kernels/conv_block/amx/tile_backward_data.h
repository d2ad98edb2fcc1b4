// conv_block_backward_data on a tile unit: a convolution, too (tile_convolution.h), over the dense
// gradient in a border of zeros, with the filter turned around:
//
//   dx[h, w, c] = sum over r, s, k of dy[h - r*dilation_h, w - s*dilation_w, k] * filter[r, s, c,
//   k]
//
// with h and w counted from the padding's first row and column.
// Decomposition  per image: what passes is scattered into the bordered gradient, whose rows and
//                columns are those that dx's own pixels reach, and convolved; nothing is cropped.
// Cost           12x12x32 -> 5x5x48: 11 MFLOP per image, 30 times those of the gradients that pass
//                (a quarter of them, at most; of 64 pixels, not 144).
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/conv_block/amx/tile_convolution.h"
#include "kernels/conv_block/cpu/bf16_backward.h"
#include "kernels/conv_block/cpu/conv_block_geometry.h"

namespace gradflip {
namespace {

struct TileBackwardDataPlan {
  explicit TileBackwardDataPlan(const ConvBlockShape& shape)
      : runs(shape.conv.dilation_w == 1 ? 1 : shape.conv.S),
        channels(whole_chunk_channels(shape)),
        height(shape.conv.H + (shape.conv.R - 1) * shape.conv.dilation_h),
        width(shape.conv.W + (shape.conv.S - 1) * shape.conv.dilation_w),
        first_row((shape.conv.R - 1) * shape.conv.dilation_h - shape.conv.pad_h),
        first_column((shape.conv.S - 1) * shape.conv.dilation_w - shape.conv.pad_w) {}

  TileConvolution convolution(const ConvBlockShape& shape) const {
    return {.R = shape.conv.R,
            .runs = runs,
            .run = PairChunks(run_length(shape, channels)),
            .tap_row_stride = shape.conv.dilation_h * width * channels,
            .run_stride = shape.conv.dilation_w * channels,
            .pixel_stride = channels,
            .pixel_row_stride = width * channels,
            .pixels = PixelTiles(shape.conv.W),
            .columns = whole_rows(shape.conv.C)};
  }

  std::int64_t runs;
  std::int64_t channels;                 // K and zeros, so that runs are whole chunks
  std::int64_t height, width;            // of the bordered gradient
  std::int64_t first_row, first_column;  // where in it the gradient begins; may be before it

 private:
  static std::int64_t run_length(const ConvBlockShape& shape, std::int64_t channels) {
    return shape.conv.dilation_w == 1 ? shape.conv.S * channels : channels;
  }
  // Even, so that no pair is of two pixels. Ends at the latest with whole tile rows.
  static std::int64_t whole_chunk_channels(const ConvBlockShape& shape) {
    std::int64_t channels = (shape.conv.K + 1) / 2 * 2;
    while (PairChunks(run_length(shape, channels)).elements() != run_length(shape, channels)) {
      channels += 2;
    }
    return channels;
  }
};

struct TileBackwardDataScratch {
  TileBackwardDataScratch(const ConvBlockShape& shape, const TileBackwardDataPlan& plan,
                          Scratch scratch) {
    const TileConvolution convolution = plan.convolution(shape);
    weights = scratch.take<Bf16Pair>(convolution.weights());
    row = scratch.take<std::uint16_t>(plan.channels);
    gradient = scratch.take<std::uint16_t>(plan.height * plan.width * plan.channels);
    zeros = scratch.take<float>(convolution.columns);
    dx = scratch.take<float>(shape.conv.H * shape.conv.W * convolution.columns);
    bytes = scratch.bytes();
  }
  Bf16Pair* weights;
  std::uint16_t* row;       // (channels)
  std::uint16_t* gradient;  // (height, width, channels)
  float* zeros;             // (columns): the convolution's bias
  float* dx;                // (H, W, columns)
  std::int64_t bytes;
};

// (R, S, C, K) to tiles of 16 of C: each (R, S, channels / 2 pairs, 16), R and S backwards.
inline void pack_turned_filter(const ConvBlockShape& shape, const TileBackwardDataPlan& plan,
                               const float* filter, std::uint16_t* row, Bf16Pair* packed) {
  const std::int64_t K = shape.conv.K;
  const std::int64_t C = shape.conv.C;
  const std::int64_t tap_pairs = plan.channels / 2 * kTilePairs;
  const std::int64_t taps = shape.conv.R * shape.conv.S;
  for (std::int64_t k = 0; k < plan.channels; ++k) row[k] = 0;
  for (std::int64_t first = 0; first < whole_rows(C); first += kTilePairs) {
    for (std::int64_t tap = taps - 1; tap >= 0; --tap, packed += tap_pairs) {
      for (std::int64_t column = 0; column < kTilePairs; ++column) {
        const std::int64_t c = first + column;
        if (c < C) to_bf16(K, filter + (tap * C + c) * K, row);
        for (std::int64_t pair = 0; pair < plan.channels / 2; ++pair) {
          packed[pair * kTilePairs + column] =
              c < C ? row[2 * pair] | Bf16Pair{row[2 * pair + 1]} << 16U : 0U;
        }
      }
    }
  }
}

// One image's gradients to where they belong in the bordered gradient, which is zero.
inline void scatter_gradients(const ConvBlockShape& shape, const TileBackwardDataPlan& plan,
                              const float* dpooled, const std::uint8_t* winner,
                              std::uint16_t* gradient) {
  const std::int64_t K = shape.conv.K;
  std::int64_t position_offset[kDeadWinner];
  for (std::int64_t position = 0; position < shape.pool_h * shape.pool_w; ++position) {
    position_offset[position] =
        (position / shape.pool_w * plan.width + position % shape.pool_w) * plan.channels;
  }
  const auto covered = [](std::int64_t first, std::int64_t size, std::int64_t limit) {
    return first >= 0 && first + size <= limit;
  };
  const std::int64_t PP = shape.PP(), PQ = shape.PQ();  // divisions
  for (std::int64_t p = 0; p < PP; ++p) {
    for (std::int64_t q = 0; q < PQ; ++q, dpooled += K, winner += K) {
      const std::int64_t row = plan.first_row + p * shape.pool_h;
      const std::int64_t column = plan.first_column + q * shape.pool_w;
      std::uint16_t* window = gradient + (row * plan.width + column) * plan.channels;
      // In a padding wider than the filter, gradients reach no pixel of x.
      const bool all =
          covered(row, shape.pool_h, plan.height) && covered(column, shape.pool_w, plan.width);
      for (std::int64_t k = 0; k < K; ++k) {
        const std::int64_t position = winner[k];
        if (position == kDeadWinner) continue;
        if (!all && (!covered(row + position / shape.pool_w, 1, plan.height) ||
                     !covered(column + position % shape.pool_w, 1, plan.width))) {
          continue;
        }
        window[position_offset[position] + k] = to_bf16(dpooled[k]);
      }
    }
  }
}

template <typename Tiles>
struct TileBackwardData {
  // A stride would put borders between the gradients, and most products would be with zeros.
  static bool takes(const ConvBlockShape& shape) {
    return shape.conv.stride_h == 1 && shape.conv.stride_w == 1;
  }

  static std::int64_t workspace_bytes(const ConvBlockShape& shape) {
    return TileBackwardDataScratch(shape, TileBackwardDataPlan(shape), Scratch(nullptr)).bytes;
  }

  static void run(const ConvBlockShape& shape, const float* dpooled, const std::uint8_t* winner,
                  const float* filter, float* dx, Scratch workspace) {
    const TileBackwardDataPlan plan(shape);
    const TileBackwardDataScratch scratch(shape, plan, workspace);
    const TileConvolution convolution = plan.convolution(shape);
    pack_turned_filter(shape, plan, filter, scratch.row, scratch.weights);
    std::fill_n(scratch.zeros, convolution.columns, 0.0F);
    const std::int64_t pooled_floats = shape.PP() * shape.PQ() * shape.conv.K;
    const std::int64_t pixels = shape.conv.H * shape.conv.W;
    Tiles::configure(convolution.shapes());
    for (std::int64_t n = 0; n < shape.conv.N; ++n) {
      std::fill_n(scratch.gradient, plan.height * plan.width * plan.channels, std::uint16_t{0});
      scatter_gradients(shape, plan, dpooled + n * pooled_floats, winner + n * pooled_floats,
                        scratch.gradient);
      convolve<Tiles>(convolution, shape.conv.H, scratch.gradient, scratch.weights, scratch.zeros,
                      scratch.dx);
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel, dx += shape.conv.C) {
        std::copy_n(scratch.dx + pixel * convolution.columns, shape.conv.C, dx);
      }
    }
    Tiles::release();
  }

  static constexpr Bf16BackwardData kBackwardData{takes, workspace_bytes, run};
};

}  // namespace
}  // namespace gradflip
