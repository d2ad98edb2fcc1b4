// How the fused convolution block walks an image, and how much scratch each of its passes needs.
// Independent of the instruction set: rows of scratch are whole vectors of the widest one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/conv_block.h"
#include "kernels/conv_block/cpu/bf16_conv_block.h"
#include "kernels/cpu/scratch.h"

namespace gradflip {

inline constexpr std::int64_t kRowFloats = 16;  // 64 bytes: one AVX-512 vector, one cache line

inline std::int64_t whole_rows(std::int64_t floats) {
  return (floats + kRowFloats - 1) / kRowFloats * kRowFloats;
}

// An input image with its zero padding made explicit. A filter row meets `runs` stretches of
// `run_length` consecutive floats of it: one of S*C, or S of C where taps are apart.
struct ConvBlockGeometry {
  explicit ConvBlockGeometry(const ConvBlockShape& shape)
      : padded(shape.conv.pad_h > 0 || shape.conv.pad_w > 0),
        height(shape.conv.H + 2 * shape.conv.pad_h),
        row_stride((shape.conv.W + 2 * shape.conv.pad_w) * shape.conv.C),
        runs(shape.conv.dilation_w == 1 ? 1 : shape.conv.S),
        run_length(shape.conv.dilation_w == 1 ? shape.conv.S * shape.conv.C : shape.conv.C),
        run_stride(shape.conv.dilation_w * shape.conv.C),
        tap_row_stride(shape.conv.dilation_h * row_stride),
        pixel_stride(shape.conv.stride_w * shape.conv.C),
        pixel_row_stride(shape.conv.stride_h * row_stride),
        strip_width(shape.PQ() * shape.pool_w) {}

  std::int64_t image_floats() const { return height * row_stride; }

  bool padded;
  std::int64_t height;
  std::int64_t row_stride;        // floats from one image row to the next
  std::int64_t runs, run_length;  // per filter row
  std::int64_t run_stride;        // floats from one run to the next
  std::int64_t tap_row_stride;    // floats from one filter row to the next
  std::int64_t pixel_stride;      // floats from one pixel of the convolution to the next
  std::int64_t pixel_row_stride;  // floats from one row of the convolution to the next
  std::int64_t strip_width;       // pixels in a row of the convolution that a pool window covers
};

// Copies an (H, W, C) image into the middle of a padded one whose border is zero already.
void pad_image(const ConvBlockShape& shape, const float* image, float* padded);
// The reverse: drops the border.
void crop_image(const ConvBlockShape& shape, const float* padded, float* image);

// bf16: null for operands in f32.
struct ForwardScratch {
  ForwardScratch(const ConvBlockShape& shape, const Bf16Convolution* bf16, Scratch scratch) {
    const ConvBlockGeometry geometry(shape);
    const std::int64_t k_floats = whole_rows(shape.conv.K);
    const Bf16ForwardSizes sizes = bf16 != nullptr ? bf16->sizes(shape) : Bf16ForwardSizes{0, 0, 1};
    const std::int64_t taps = shape.conv.R * shape.conv.S * shape.conv.C;
    strip_pool_rows = sizes.strip_pool_rows;
    bias = scratch.take<float>(k_floats);
    filter = scratch.take<float>(bf16 == nullptr ? taps * k_floats : 0);
    strip = scratch.take<float>(strip_pool_rows * shape.pool_h * geometry.strip_width * k_floats);
    image = scratch.take<float>(geometry.padded ? geometry.image_floats() : 0);
    packed_filter = scratch.take<Bf16Pair>(sizes.filter_pairs);
    prepared_image = scratch.take<std::uint16_t>(sizes.image_elements);
    bytes = scratch.bytes();
  }
  std::int64_t strip_pool_rows;
  float* bias;              // (K)
  float* filter;            // per block of channels: (R, S*C, channels of the block)
  float* strip;             // (strip_pool_rows * pool_h, strip_width, K): the convolution under
                            // some rows of pool windows
  float* image;             // padded input
  Bf16Pair* packed_filter;  // bf16's, in place of `filter`
  std::uint16_t* prepared_image;
  std::int64_t bytes;
};

// Gradients that go to one pixel of the convolution.
struct GradientList {
  std::int64_t begin, size;
  std::int64_t dx_offset;  // of the pixel's first tap
};

struct BackwardDataScratch {
  BackwardDataScratch(const ConvBlockShape& shape, Scratch scratch) {
    const ConvBlockGeometry geometry(shape);
    const std::int64_t pixels = shape.PP() * shape.PQ();
    // One row more than the gradients: a vector store may run over the end.
    const std::int64_t entries = pixels * shape.conv.K + kRowFloats;
    filter = scratch.take<float>(shape.conv.R * geometry.runs * shape.conv.K *
                                 whole_rows(geometry.run_length));
    gradient = scratch.take<float>(entries);
    channel = scratch.take<std::int32_t>(entries);
    // One list more: the one being made may turn out empty.
    list = scratch.take<GradientList>(pixels * shape.pool_h * shape.pool_w + 1);
    image = scratch.take<float>(geometry.padded ? geometry.image_floats() : 0);
    bytes = scratch.bytes();
  }
  float* filter;          // (R, runs, K, run_length)
  float* gradient;        // one image's gradients that pass, list after list, ...
  std::int32_t* channel;  // ... and their channels
  GradientList* list;
  float* image;  // padded gradient of the input
  std::int64_t bytes;
};

// A panel is what backward_filter walks with one set of sums in memory: some images, or some rows
// of pool windows of one image. Where a filter row's run is whole vectors, panels are read in x;
// elsewhere the runs of every pixel are copied side by side first.
struct FilterPanels {
  FilterPanels(const ConvBlockShape& shape, const ConvBlockGeometry& geometry);

  // Image rows under `rows` rows of pool windows.
  static std::int64_t image_rows(const ConvBlockShape& shape, std::int64_t rows) {
    return (rows * shape.pool_h - 1) * shape.conv.stride_h +
           (shape.conv.R - 1) * shape.conv.dilation_h + 1;
  }

  // Whether a panel in place is made of what bf16_gradients.h takes.
  bool suits_bf16() const { return in_place && run_floats % kBf16Row == 0; }
  // Floats of x under a panel in place.
  std::int64_t x_floats(const ConvBlockShape& shape) const {
    return (images - 1) * image_stride + image_rows(shape, pool_rows) * row_stride;
  }

  bool in_place;
  std::int64_t run_floats;  // a run, in whole rows of scratch
  // Floats from one image row, row of the convolution, pixel of it, or image to the next.
  std::int64_t row_stride, pixel_row_stride, pixel_stride, image_stride;
  std::int64_t pool_rows;  // in a panel, of each of its images
  std::int64_t images;     // in a panel
};

struct BackwardFilterScratch {
  BackwardFilterScratch(const ConvBlockShape& shape, const Bf16ConvBlock* bf16, Scratch scratch);

  const Bf16BackwardFilter* pass;  // where this is not null, it needs sum, dbias and rest only
  Scratch rest;
  const Bf16Gradients* bf16_gradients;  // where panels suit it
  float* sum;                           // (whole_rows(K), R, run_floats): dfilter
  float* dbias;                         // (K)
  float* gradient;                // (pooled pixels of a panel, K): zero where the winner is dead
  std::int32_t* offset;           // ... and where in the panel the winner's first tap lies
  float* runs;                    // (image rows of a panel, strip_width, run_floats)
  std::uint32_t* gradient_pairs;  // of a panel where operands are bf16 (bf16_gradients.h), ...
  std::uint16_t* rounded_x;       // ... and x under it
  std::int64_t bytes;
};

}  // namespace gradflip
