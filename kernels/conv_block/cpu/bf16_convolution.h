// The convolution inside conv_block_forward with operands rounded to bf16: what a processor with
// bf16 products puts in the place of the f32 tiles.
#pragma once

#include <cstdint>

#include "kernels/conv_block.h"

namespace gradflip {

// Two bf16 values that one instruction multiplies with another two, neighbours in a filter row's
// run: the first in the low half. The last one of an odd run has zero in its second half.
using Bf16Pair = std::uint32_t;

// What conv_block_forward keeps at hand: of a packed filter and a prepared image how much, and how
// many rows of pool windows a strip covers at most.
struct Bf16ForwardSizes {
  std::int64_t filter_pairs, image_elements, strip_pool_rows;
};

struct Bf16Convolution {
  Bf16ForwardSizes (*sizes)(const ConvBlockShape& shape);

  // Before the other calls for this shape, on the thread that makes them; and after them.
  void (*begin)(const ConvBlockShape& shape);
  void (*end)();

  // RSCK f32, rounded, to the order in which convolve_strip reads, zeros past K. packed: 64-byte
  // aligned.
  void (*pack_filter)(const ConvBlockShape& shape, const float* filter, Bf16Pair* packed);

  // An image in conv_block_geometry.h's layout, rounded, in the order in which convolve_strip
  // reads. To nearest, ties to even; a NaN stays one.
  void (*prepare_image)(const ConvBlockShape& shape, const float* image, std::uint16_t* prepared);

  // The convolution under `pool_rows` rows of pool windows from `first_pool_row` on. bias:
  // (whole_rows(K)), zeros past K; strip: (pool_rows * pool_h, strip_width, whole_rows(K)),
  // overwritten.
  void (*convolve_strip)(const ConvBlockShape& shape, const std::uint16_t* image,
                         std::int64_t first_pool_row, std::int64_t pool_rows,
                         const Bf16Pair* filter, const float* bias, float* strip);
};

}  // namespace gradflip
