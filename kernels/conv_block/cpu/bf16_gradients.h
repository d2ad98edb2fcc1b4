// The inner loop of conv_block_backward_filter with operands rounded to bf16: what a processor with
// bf16 products puts in the place of the f32 one. Two pixels meet their parts of x in one
// instruction. conv_block_backward_data stays in f32: its lists are short, a dozen gradients, and
// pairs of them cost more to sort out than they save (12x12x32 -> 5x5x48, 128 images, one core of
// an AMD EPYC (Zen 5), 2026-11-24: 1,416 us in bf16, 1,194 us in f32).
#pragma once

#include <cstdint>

namespace gradflip {

inline constexpr std::int64_t kBf16Row = 32;  // elements of one register

// Pairs of a panel's pixels for one channel, and x under them.
struct Bf16Panel {
  std::int64_t pixels;
  const std::uint32_t* gradients;  // of pair_gradients, of this channel
  const std::int32_t* offsets;     // of each pixel, in x
  std::int64_t stride;             // of both, from pair to pair and from pixel to pixel
  const std::uint16_t* x;
  std::int64_t x_row_stride;  // from one filter row to the next
};

struct Bf16Gradients {
  // To nearest, ties to even; a NaN stays one.
  void (*round)(std::int64_t count, const float* x, std::uint16_t* rounded);

  // (pixels, stride) f32 to ((pixels + 1) / 2, stride) pairs: the even pixel in the low half, zero
  // in the place of one that is not there. stride: whole rows of 16.
  void (*pair_gradients)(std::int64_t pixels, std::int64_t stride, const float* gradients,
                         std::uint32_t* pairs);
  // sums[row * sum_stride + column] += sum over the panel of gradient * x[offset + row, column],
  // for R rows and so many columns, whole kBf16Row.
  void (*accumulate)(const Bf16Panel& panel, std::int64_t R, std::int64_t columns,
                     std::int64_t sum_stride, float* sums);
};

}  // namespace gradflip
