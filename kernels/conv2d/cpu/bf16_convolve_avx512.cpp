// conv2d_forward and conv2d_backward_data with operands rounded to bf16: what conv2d_convolve.cpp
// does in f32, on pairs of channels.
//
// Bands are rounded as they are copied; of an odd number of channels the last one's pair ends in
// zero, in the filter, too.

#include <algorithm>

#include "kernels/conv2d/cpu/bf16_conv2d_avx512.h"
#include "kernels/cpu/convolution_bf16_avx512.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace gradflip {
namespace {

#include "kernels/conv2d/cpu/convolve_walks.h"

struct Bf16Scratch {
  Bf16Scratch(const ConvolutionPlan& plan, Scratch scratch) {
    const std::int64_t pairs = (plan.channels_in + 1) / 2;
    const std::int64_t channels = whole_vectors(plan.channels_out);
    bias = scratch.take<float>(channels);
    filter = scratch.take<Element>(plan.taps * pairs * channels);
    tap = scratch.take<Element>(plan.gradient ? plan.channels_out * pairs : 0);
    band = scratch.take<Element>(plan.band_image_rows() * plan.padded_width() * pairs);
    bytes = scratch.bytes();
  }
  float* bias;
  Element* filter;  // per block of channels, per walk: (taps, pairs, channels of the block)
  Element* tap;     // (channels_out, pairs)
  Element* band;
  std::int64_t bytes;
};

// `pixels` pixels of C floats, as pairs.
void round_pixels(std::int64_t pixels, std::int64_t C, const float* from, Element* to) {
  auto* words = reinterpret_cast<std::uint16_t*>(to);
  if (C % 2 == 0) return round_to_bf16(pixels * C, from, words);
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel, from += C, words += C + 1) {
    for (std::int64_t c = 0; c < C + 1; c += kLanes) {
      _mm256_mask_storeu_epi16(words + c, first_lanes(C + 1 - c), rounded(C - c, from + c));
    }
  }
}

// (channels_in, channels_out) of one tap, some of its columns: (pairs, lanes).
void pack_rows(const ConvolutionPlan& plan, const float* tap, std::int64_t channels,
               std::int64_t lanes, Element* packed) {
  for (std::int64_t c = 0; c < plan.channels_in; c += 2, packed += lanes) {
    const float* even = tap + c * plan.channels_out;
    const std::int64_t odd = c + 1 < plan.channels_in ? channels : 0;
    for (std::int64_t k = 0; k < lanes; k += kLanes) {
      _mm512_storeu_si512(
          packed + k, rounded_pairs(channels - k, even + k, odd - k, even + plan.channels_out + k));
    }
  }
}

// The same of (channels, channels_in), by way of (channels, pairs).
void pack_columns(const ConvolutionPlan& plan, const float* tap, std::int64_t channels,
                  std::int64_t lanes, Element* rounded_tap, Element* packed) {
  const std::int64_t pairs = (plan.channels_in + 1) / 2;
  round_pixels(channels, plan.channels_in, tap, rounded_tap);
  for (std::int64_t pair = 0; pair < pairs; ++pair, packed += lanes) {
    for (std::int64_t k = 0; k < lanes; ++k) {
      packed[k] = k < channels ? rounded_tap[k * pairs + pair] : 0;
    }
  }
}

void pack_filter(const ConvolutionPlan& plan, const float* filter, const Bf16Scratch& scratch) {
  const std::int64_t pairs = (plan.channels_in + 1) / 2;
  for_each_tap(plan, pairs, scratch.filter,
               [&](std::int64_t tap, std::int64_t first, std::int64_t lanes, Element* packed) {
                 const float* from = filter + tap * plan.channels_in * plan.channels_out;
                 const std::int64_t channels = std::min(plan.channels_out - first, lanes);
                 if (plan.gradient) {
                   pack_columns(plan, from + first * plan.channels_in, channels, lanes, scratch.tap,
                                packed);
                 } else {
                   pack_rows(plan, from + first, channels, lanes, packed);
                 }
               });
}

Band<Element> rounded_band(const ConvolutionPlan& plan, const float* image, std::int64_t begin,
                           Element* band) {
  const std::int64_t C = plan.channels_in, pairs = (C + 1) / 2;
  const std::int64_t width = plan.padded_width(), rows = plan.band_image_rows(begin);
  for (std::int64_t i = 0; i < rows; ++i) {
    const PaddedRow row = padded_row(plan, image, begin * plan.h.step() + i);
    Element* to = band + i * width * pairs;
    std::fill_n(to, row.before * pairs, Element{0});
    round_pixels(row.pixels, C, row.image, to + row.before * pairs);
    std::fill(to + (row.before + row.pixels) * pairs, to + width * pairs, Element{0});
  }
  return {band, width * pairs, pairs, begin};
}

}  // namespace

std::int64_t bf16_convolve_bytes(const ConvolutionPlan& plan) {
  return Bf16Scratch(plan, Scratch(nullptr)).bytes;
}

void bf16_convolve(const ConvolutionPlan& plan, const float* image, const float* filter,
                   const Conv2dEpilogue& epilogue, float* out, Scratch memory) {
  if (plan.N == 0) return;
  const Bf16Scratch scratch(plan, memory);
  set_bias(plan.channels_out, epilogue.bias, scratch.bias);
  pack_filter(plan, filter, scratch);
  convolve_images(plan, {scratch.filter, scratch.bias, epilogue.rectifier}, out,
                  [&](std::int64_t n, std::int64_t begin) {
                    return rounded_band(plan, image + n * plan.image_floats(), begin, scratch.band);
                  });
}

}  // namespace gradflip

HWY_POP_ATTRIBUTES
