// conv_block_backward_filter on a tile unit: products of dense gradients, summed over pixels.
//
//   dfilter[k][r, j] += sum over pixels of gradient[k][pixel] * x[pixel's run in filter row r][j]
//
// with j over a filter row's S*C elements.
// Decomposition  A is 16 channels of the gradient x up to 16 pairs of neighbouring pixels, B those
//                pairs x 16 elements of the run. A panel of images is made ready, then six tiles of
//                B, for every 16 channels, are summed over the panel in registers.
// Operands       gradients lie channel by channel, the pixels of an image in a row; x pair by pair:
//                for every pair of pixels of an image row, their runs interleaved. A filter row on
//                is an image row on, so that all filter rows read the same copy, and pairs of
//                several output rows are evenly spaced: 30 KB per image for 12x12x32 -> 5x5x48.
// Numerics       products are exact, sums f32; denormals count as zero. A dead window contributes
//                0 * x. dbias is of f32 gradients.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/conv_block/amx/bf16.h"
#include "kernels/conv_block/amx/tiles.h"
#include "kernels/conv_block/cpu/bf16_backward.h"
#include "kernels/conv_block/cpu/bf16_convolution.h"
#include "kernels/conv_block/cpu/conv_block_geometry.h"

namespace gradflip {
namespace {

// Of an L2 cache of 2 MiB, most of which the rest of the step uses, too. The more images, the fewer
// times sums are loaded and stored.
inline constexpr std::int64_t kPanelBytes = 256 * 1024;

struct TileBackwardFilterPlan {
  explicit TileBackwardFilterPlan(const ConvBlockShape& shape)
      : geometry(shape),
        row_pairs((geometry.strip_width + 1) / 2),
        pairs(row_pairs * shape.PP() * shape.pool_h),
        chunk_pairs(kTilePairs),
        run_floats(whole_rows(shape.conv.S * shape.conv.C)),
        channels(whole_rows(shape.conv.K)),
        image_rows(shape.PP() * shape.pool_h + (shape.conv.R - 1) * shape.conv.dilation_h) {
    // No chunk may run past the last pair: a gradient of zero would not silence a NaN there.
    while (pairs % chunk_pairs != 0) --chunk_pairs;
    const std::int64_t image_bytes = (gradients() / 2 + input_pairs()) * 4;
    panel_images = std::max<std::int64_t>(1, kPanelBytes / image_bytes);
  }
  // Of an image.
  std::int64_t gradients() const { return channels * 2 * pairs; }
  std::int64_t input_pairs() const { return image_rows * row_pairs * run_floats; }
  std::int64_t units(const ConvBlockShape& shape) const {
    return shape.conv.R * run_floats / kTilePairs;
  }

  ConvBlockGeometry geometry;
  std::int64_t row_pairs;    // of pixels in a row of the convolution; the last may be of one
  std::int64_t pairs;        // in an image
  std::int64_t chunk_pairs;  // in a product
  std::int64_t run_floats, channels;
  std::int64_t image_rows;  // that the convolution reads
  std::int64_t panel_images;
};

struct TileBackwardFilterScratch {
  TileBackwardFilterScratch(const TileBackwardFilterPlan& plan, Scratch scratch) {
    padded = scratch.take<float>(plan.geometry.padded ? plan.geometry.image_floats() : 0);
    rounded = scratch.take<std::uint16_t>(plan.geometry.image_floats() + kBlock);
    alive = scratch.take<std::uint16_t>(plan.channels);
    gradient = scratch.take<std::uint16_t>(plan.panel_images * plan.gradients());
    input = scratch.take<Bf16Pair>(plan.panel_images * plan.input_pairs() + kBlock);
    bytes = scratch.bytes();
  }
  float* padded;            // an image in its padding
  std::uint16_t* rounded;   // the image, padded or not
  std::uint16_t* alive;     // (channels): gradients of a pooled pixel
  std::uint16_t* gradient;  // (panel_images, channels, 2 * pairs)
  Bf16Pair* input;          // (panel_images, image_rows, row_pairs, run_floats)
  std::int64_t bytes;
};

// One image's gradients, channel by channel, and dbias. `gradient` is zero.
inline void scatter_channels(const ConvBlockShape& shape, const TileBackwardFilterPlan& plan,
                             const float* dpooled, const std::uint8_t* winner, std::uint16_t* alive,
                             std::uint16_t* gradient, float* dbias) {
  const std::int64_t K = shape.conv.K;
  const std::int64_t row = 2 * plan.row_pairs;
  std::int64_t position_offset[kDeadWinner + 1] = {};
  for (std::int64_t position = 0; position < shape.pool_h * shape.pool_w; ++position) {
    position_offset[position] = position / shape.pool_w * row + position % shape.pool_w;
  }
  const std::int64_t PP = shape.PP(), PQ = shape.PQ();  // divisions
  for (std::int64_t p = 0; p < PP; ++p) {
    for (std::int64_t q = 0; q < PQ; ++q, dpooled += K, winner += K) {
      for (std::int64_t k = 0; k < K; ++k) {
        const float passing = winner[k] == kDeadWinner ? 0.0F : dpooled[k];
        dbias[k] += passing;
        alive[k] = to_bf16(passing);
      }
      // A dead window's zero goes to the window's first pixel.
      std::uint16_t* window = gradient + p * shape.pool_h * row + q * shape.pool_w;
      for (std::int64_t k = 0; k < K; ++k) {
        window[k * 2 * plan.pairs + position_offset[winner[k]]] = alive[k];
      }
    }
  }
}

// Two pixels' runs, element by element, or one's and zeros; in whole blocks.
inline void interleave(std::int64_t count, const std::uint16_t* first, const std::uint16_t* second,
                       Bf16Pair* pairs) {
  const std::int64_t end = (count + kBlock - 1) / kBlock * kBlock;
  if (second == nullptr) {
    for (std::int64_t j = 0; j < end; ++j) pairs[j] = first[j];
  } else {
    for (std::int64_t j = 0; j < end; ++j) pairs[j] = first[j] | Bf16Pair{second[j]} << 16U;
  }
}

// `image`: rounded, in its padding.
inline void pair_pixels(const ConvBlockShape& shape, const TileBackwardFilterPlan& plan,
                        const std::uint16_t* image, Bf16Pair* pairs) {
  const ConvBlockGeometry& geometry = plan.geometry;
  const std::int64_t length = shape.conv.S * shape.conv.C;
  for (std::int64_t h = 0; h < plan.image_rows; ++h, image += geometry.row_stride) {
    for (std::int64_t q = 0; q < geometry.strip_width; q += 2, pairs += plan.run_floats) {
      const std::uint16_t* first = image + q * geometry.pixel_stride;
      const bool two = q + 1 < geometry.strip_width;
      for (std::int64_t run = 0; run < geometry.runs; ++run) {
        const std::uint16_t* from = first + run * geometry.run_stride;
        interleave(geometry.run_length, from, two ? from + geometry.pixel_stride : nullptr,
                   pairs + run * geometry.run_length);
      }
      for (std::int64_t j = length; j < plan.run_floats; ++j) pairs[j] = 0;
    }
  }
}

// Sums of 16 channels and several units: a unit is 16 elements of a filter row's run.
template <typename Tiles, std::size_t... kSum>
void sum_panel(std::index_sequence<kSum...> /*sums*/, const TileBackwardFilterPlan& plan,
               std::int64_t images, const std::uint16_t* gradient, const Bf16Pair* const* input,
               float* const* sum, std::int64_t sum_bytes) {
  const std::int64_t gradient_bytes = 2 * plan.pairs * 2;
  const std::int64_t input_bytes = plan.run_floats * 4;
  (Tiles::template load<kSum>(sum[kSum], sum_bytes), ...);
  for (std::int64_t image = 0; image < images; ++image) {
    std::int64_t at = image * plan.input_pairs();
    const std::uint16_t* from = gradient + image * plan.gradients();
    for (std::int64_t pair = 0; pair < plan.pairs; pair += plan.chunk_pairs) {
      Tiles::template load<kTileA>(from, gradient_bytes);
      ((Tiles::template load<kTileB>(input[kSum] + at, input_bytes),
        Tiles::template multiply_add_bf16<kSum, kTileA, kTileB>()),
       ...);
      from += 2 * plan.chunk_pairs;
      at += plan.chunk_pairs * plan.run_floats;
    }
  }
  (Tiles::template store<kSum>(sum[kSum], sum_bytes), ...);
}

template <typename Tiles, std::size_t kUnits = kSumTiles>
void sum_up_to(std::size_t units, const TileBackwardFilterPlan& plan, std::int64_t images,
               const std::uint16_t* gradient, const Bf16Pair* const* input, float* const* sum,
               std::int64_t sum_bytes) {
  if constexpr (kUnits > 1) {
    if (units < kUnits) {
      return sum_up_to<Tiles, kUnits - 1>(units, plan, images, gradient, input, sum, sum_bytes);
    }
  }
  sum_panel<Tiles>(std::make_index_sequence<kUnits>(), plan, images, gradient, input, sum,
                   sum_bytes);
}

template <typename Tiles>
struct TileBackwardFilter {
  // Rows of the convolution have to be image rows apart; and too short chunks would leave most of
  // the unit idle.
  static bool takes(const ConvBlockShape& shape) {
    return shape.conv.stride_h == 1 && TileBackwardFilterPlan(shape).chunk_pairs >= kTilePairs / 2;
  }

  static std::int64_t workspace_bytes(const ConvBlockShape& shape) {
    return TileBackwardFilterScratch(TileBackwardFilterPlan(shape), Scratch(nullptr)).bytes;
  }

  static void accumulate(const ConvBlockShape& shape, const float* x, const float* dpooled,
                         const std::uint8_t* winner, float* sum, float* dbias, Scratch workspace) {
    const TileBackwardFilterPlan plan(shape);
    const TileBackwardFilterScratch scratch(plan, workspace);
    const std::int64_t image_floats = shape.conv.H * shape.conv.W * shape.conv.C;
    const std::int64_t pooled_floats = shape.PP() * shape.PQ() * shape.conv.K;
    if (plan.geometry.padded) std::fill_n(scratch.padded, plan.geometry.image_floats(), 0.0F);
    Tiles::configure(product_shapes(kTileRows, plan.chunk_pairs));
    for (std::int64_t n = 0; n < shape.conv.N; n += plan.panel_images) {
      const std::int64_t images = std::min(plan.panel_images, shape.conv.N - n);
      std::fill_n(scratch.gradient, images * plan.gradients(), std::uint16_t{0});
      for (std::int64_t i = 0; i < images; ++i) {
        const std::int64_t pooled = (n + i) * pooled_floats;
        scatter_channels(shape, plan, dpooled + pooled, winner + pooled, scratch.alive,
                         scratch.gradient + i * plan.gradients(), dbias);
        const float* image = x + (n + i) * image_floats;
        if (plan.geometry.padded) {
          pad_image(shape, image, scratch.padded);
          image = scratch.padded;
        }
        to_bf16(plan.geometry.image_floats(), image, scratch.rounded);
        pair_pixels(shape, plan, scratch.rounded, scratch.input + i * plan.input_pairs());
      }
      add_panel(shape, plan, images, scratch, sum);
    }
    Tiles::release();
  }

  static constexpr Bf16BackwardFilter kBackwardFilter{takes, workspace_bytes, accumulate};

 private:
  static void add_panel(const ConvBlockShape& shape, const TileBackwardFilterPlan& plan,
                        std::int64_t images, const TileBackwardFilterScratch& scratch, float* sum) {
    const std::int64_t channel_floats = shape.conv.R * plan.run_floats;
    const std::int64_t row_units = plan.run_floats / kTilePairs;
    const std::int64_t units = plan.units(shape);
    const std::int64_t groups = (units + kSumTiles - 1) / kSumTiles;
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t begin = units * group / groups;
      const std::int64_t end = units * (group + 1) / groups;
      for (std::int64_t k = 0; k < plan.channels; k += kTileRows) {
        const Bf16Pair* input[kSumTiles];
        float* sums[kSumTiles];
        for (std::int64_t unit = begin; unit < end; ++unit) {
          const std::int64_t row = unit / row_units * shape.conv.dilation_h * plan.row_pairs;
          input[unit - begin] =
              scratch.input + row * plan.run_floats + unit % row_units * kTilePairs;
          sums[unit - begin] = sum + k * channel_floats + unit * kTilePairs;
        }
        sum_up_to<Tiles>(static_cast<std::size_t>(end - begin), plan, images,
                         scratch.gradient + k * 2 * plan.pairs, input, sums, channel_floats * 4);
      }
    }
  }
};

}  // namespace
}  // namespace gradflip
