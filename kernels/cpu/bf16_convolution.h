// The convolution inside conv_block_forward with operands rounded to bf16: what a processor with
// bf16 products puts in the place of the f32 tiles.
#pragma once

#include <cstdint>

#include "kernels/conv_block.h"
#include "kernels/cpu/conv_block_geometry.h"

namespace gradflip {

// Two bf16 values that one instruction multiplies with another two, neighbours in a filter row's
// run: the first in the low half. The last one of an odd run has zero in its second half.
using Bf16Pair = std::uint32_t;

struct Bf16Convolution {
  // To nearest, ties to even; a NaN stays one. count may be 0.
  void (*round)(std::int64_t count, const float* x, std::uint16_t* rounded);

  // RSCK f32 to the order in which convolve_strip reads: for each block of channels (R, runs,
  // pairs_in_run, channels of the block), zeros past K. packed: R * runs * pairs_in_run *
  // whole_rows(K), 64-byte aligned.
  void (*pack_filter)(const ConvBlockShape& shape, const float* filter, Bf16Pair* packed);

  // The convolution under one row of pool windows. x: its first pixel in a rounded image of
  // conv_block_geometry.h's layout, behind whose end one more element can be read; bias:
  // (whole_rows(K)), zeros past K; strip: (pool_h, strip_width, whole_rows(K)), overwritten.
  void (*convolve_strip)(const ConvBlockShape& shape, const ConvBlockGeometry& geometry,
                         const std::uint16_t* x, const Bf16Pair* filter, const float* bias,
                         float* strip);
};

// Null where this processor has no such products, or the compiler cannot make them.
const Bf16Convolution* bf16_convolution();

}  // namespace gradflip
