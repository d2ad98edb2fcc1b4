// conv_block_forward's convolution on a tile unit (tile_convolution.h).
//
// Runs   the paper's second layer (5 x 32 elements) is read where it lies. The first one's runs of
//        15 are copied to 16 each: 21 KB per image, and no NaN of the pixel behind the run.
// Strip  as many rows of pool windows as fit 16 KB: one set of weights serves them all, and with
//        weights and input the strip still fits an L1 cache of 48 KB.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/conv_block/amx/tile_convolution.h"
#include "kernels/conv_block/cpu/conv_block_geometry.h"

namespace gradflip {
namespace {

inline constexpr std::int64_t kStripBytes = 16 * 1024;

struct TileForwardPlan {
  explicit TileForwardPlan(const ConvBlockShape& shape)
      : geometry(shape),
        run(geometry.run_length),
        in_place(run.elements() == geometry.run_length),
        columns(whole_rows(shape.conv.K)),
        strip_pool_rows(std::clamp<std::int64_t>(
            kStripBytes / (4 * shape.pool_h * geometry.strip_width * columns), 1, shape.PP())) {}

  TileConvolution convolution(const ConvBlockShape& shape) const {
    TileConvolution convolution{.R = shape.conv.R,
                                .runs = geometry.runs,
                                .run = run,
                                .tap_row_stride = geometry.tap_row_stride,
                                .run_stride = geometry.run_stride,
                                .pixel_stride = geometry.pixel_stride,
                                .pixel_row_stride = geometry.pixel_row_stride,
                                .pixels = PixelTiles(geometry.strip_width),
                                .columns = columns};
    if (!in_place) {
      convolution.tap_row_stride = shape.conv.dilation_h * copied_row();
      convolution.run_stride = run.elements();
      convolution.pixel_stride = copied_pixel();
      convolution.pixel_row_stride = shape.conv.stride_h * copied_row();
    }
    return convolution;
  }

  // Elements of copied runs.
  std::int64_t copied_pixel() const { return geometry.runs * run.elements(); }
  std::int64_t copied_row() const { return geometry.strip_width * copied_pixel(); }

  // Of a prepared image: copied runs first, if there are any, then the image. Copying runs over
  // both ends.
  std::int64_t copied_elements() const {
    return in_place ? 0 : geometry.height * copied_row() + kBlock;
  }
  std::int64_t image_elements() const {
    return copied_elements() + geometry.image_floats() + kBlock;
  }

  ConvBlockGeometry geometry;
  PairChunks run;
  bool in_place;
  std::int64_t columns, strip_pool_rows;
};

// Every pixel's runs side by side, each filled up with zeros.
inline void copy_runs(const TileForwardPlan& plan, const std::uint16_t* image, std::uint16_t* to) {
  const ConvBlockGeometry& geometry = plan.geometry;
  const std::int64_t length = geometry.run_length;
  for (std::int64_t h = 0; h < geometry.height; ++h, image += geometry.row_stride) {
    for (std::int64_t q = 0; q < geometry.strip_width; ++q) {
      for (std::int64_t run = 0; run < geometry.runs; ++run, to += plan.run.elements()) {
        const std::uint16_t* from = image + q * geometry.pixel_stride + run * geometry.run_stride;
        for (std::int64_t j = 0; j < length; j += kBlock) {
          std::memcpy(to + j, from + j, kBlock * sizeof(*to));
        }
        for (std::int64_t j = length; j < plan.run.elements(); ++j) to[j] = 0;
      }
    }
  }
}

// `count` of a tile row's pairs, and zeros; without a `second` its halves are zeros.
inline void pack_pairs(std::int64_t count, const float* first, const float* second,
                       Bf16Pair* pairs) {
  for (std::int64_t k = count; k < kTilePairs; ++k) pairs[k] = 0;
  for (std::int64_t k = 0; k < count; ++k) pairs[k] = to_bf16(first[k]);
  if (second == nullptr) return;
  for (std::int64_t k = 0; k < count; ++k) pairs[k] |= Bf16Pair{to_bf16(second[k])} << 16U;
}

template <typename Tiles>
struct TileForward {
  static Bf16ForwardSizes sizes(const ConvBlockShape& shape) {
    const TileForwardPlan plan(shape);
    return {plan.convolution(shape).weights(), plan.image_elements(), plan.strip_pool_rows};
  }

  static void begin(const ConvBlockShape& shape) {
    Tiles::configure(TileForwardPlan(shape).convolution(shape).shapes());
  }
  static void end() { Tiles::release(); }

  static void pack_filter(const ConvBlockShape& shape, const float* filter, Bf16Pair* packed) {
    const TileForwardPlan plan(shape);
    const std::int64_t K = shape.conv.K;
    const std::int64_t length = plan.geometry.run_length;
    for (std::int64_t first = 0; first < plan.columns; first += kTilePairs) {
      const std::int64_t count = std::min(kTilePairs, K - first);
      // Runs lie one after another in the filter.
      for (std::int64_t run = 0; run < shape.conv.R * plan.geometry.runs; ++run) {
        const float* from = filter + run * length * K + first;
        for (std::int64_t j = 0; j < plan.run.elements(); j += 2, packed += kTilePairs) {
          pack_pairs(j < length ? count : 0, from + j * K,
                     j + 1 < length ? from + (j + 1) * K : nullptr, packed);
        }
      }
    }
  }

  static void prepare_image(const ConvBlockShape& shape, const float* image,
                            std::uint16_t* prepared) {
    const TileForwardPlan plan(shape);
    std::uint16_t* rounded = prepared + plan.copied_elements();
    to_bf16(plan.geometry.image_floats(), image, rounded);
    if (!plan.in_place) copy_runs(plan, rounded, prepared);
  }

  static void convolve_strip(const ConvBlockShape& shape, const std::uint16_t* image,
                             std::int64_t first_pool_row, std::int64_t pool_rows,
                             const Bf16Pair* filter, const float* bias, float* strip) {
    const TileConvolution convolution = TileForwardPlan(shape).convolution(shape);
    convolve<Tiles>(convolution, pool_rows * shape.pool_h,
                    image + first_pool_row * shape.pool_h * convolution.pixel_row_stride, filter,
                    bias, strip);
  }

  static constexpr Bf16Convolution kConvolution{sizes,       begin,         end,
                                                pack_filter, prepare_image, convolve_strip};
};

}  // namespace
}  // namespace gradflip
