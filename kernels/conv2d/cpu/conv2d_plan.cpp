#include "kernels/conv2d/cpu/conv2d_plan.h"

#include <algorithm>

namespace gradflip {
namespace {

// What is read for every block of channels: together with a block's filter within 512 KiB of L2.
constexpr std::int64_t kBandFloats = 32 * 1024;
// Beyond this a filter would come from L3 for every image.
constexpr std::int64_t kFilterFloats = 128 * 1024;

void set_bands(ConvolutionPlan& plan) {
  plan.in_place = plan.h.in_image() && plan.w.in_image();
  const std::int64_t row_floats =
      (plan.in_place ? plan.w.size() : plan.padded_width()) * plan.channels_in;
  const std::int64_t rows = std::max(kBandFloats / row_floats, std::int64_t{1});
  const std::int64_t fit = (rows - plan.h.padded(1)) / plan.h.step() + 1;
  plan.band_rows = std::clamp<std::int64_t>(fit, 1, plan.h.count());
  const std::int64_t filter_floats =
      plan.taps * plan.channels_in * whole_vectors(plan.channels_out);
  plan.filter_first = filter_floats > kFilterFloats;
}

}  // namespace

ConvolutionPlan ConvolutionPlan::forward(const Conv2dShape& given) {
  const Conv2dShape shape = with_flat_images(given);
  ConvolutionPlan plan;
  plan.N = shape.N;
  plan.channels_in = shape.C;
  plan.channels_out = shape.K;
  plan.S = shape.S;
  plan.h =
      ConvolutionAxis::forward(shape.H, shape.R, shape.stride_h, shape.pad_h, shape.dilation_h);
  plan.w =
      ConvolutionAxis::forward(shape.W, shape.S, shape.stride_w, shape.pad_w, shape.dilation_w);
  plan.out_width = shape.Q();
  plan.out_image_floats = shape.P() * shape.Q() * shape.K;
  plan.taps = shape.R * shape.S;
  set_bands(plan);
  return plan;
}

ConvolutionPlan ConvolutionPlan::backward_data(const Conv2dShape& given) {
  const Conv2dShape shape = with_flat_images(given);
  ConvolutionPlan plan;
  plan.N = shape.N;
  plan.channels_in = shape.K;
  plan.channels_out = shape.C;
  plan.S = shape.S;
  plan.h =
      ConvolutionAxis::gradient(shape.H, shape.R, shape.stride_h, shape.pad_h, shape.dilation_h);
  plan.w =
      ConvolutionAxis::gradient(shape.W, shape.S, shape.stride_w, shape.pad_w, shape.dilation_w);
  plan.out_width = shape.W;
  plan.out_image_floats = shape.H * shape.W * shape.C;
  plan.taps = shape.R * shape.S;
  plan.gradient = true;
  set_bands(plan);
  return plan;
}

ConvolutionScratch::ConvolutionScratch(const ConvolutionPlan& plan, Scratch scratch) {
  const std::int64_t channels = whole_vectors(plan.channels_out);
  bias = scratch.take<float>(channels);
  filter = scratch.take<float>(plan.taps * plan.channels_in * channels);
  band = scratch.take<float>(
      plan.in_place ? 0 : plan.band_image_rows() * plan.padded_width() * plan.channels_in);
  bytes = scratch.bytes();
}

PaddedRow padded_row(const ConvolutionPlan& plan, const float* image, std::int64_t row) {
  const std::int64_t h = row - plan.h.before();
  if (h < 0 || h >= plan.h.size()) return {0, 0, nullptr};
  const std::int64_t width = plan.padded_width();
  const std::int64_t begin = std::clamp<std::int64_t>(plan.w.before(), 0, width);
  const std::int64_t end = std::clamp<std::int64_t>(plan.w.before() + plan.w.size(), begin, width);
  const std::int64_t first = begin - plan.w.before();
  return {begin, end - begin, image + (h * plan.w.size() + first) * plan.channels_in};
}

Band<float> band_of(const ConvolutionPlan& plan, const float* image, std::int64_t begin,
                    const ConvolutionScratch& scratch) {
  const std::int64_t C = plan.channels_in, first = begin * plan.h.step();
  if (plan.in_place) {
    const std::int64_t row = plan.w.size() * C;
    return {image + first * row, row, C, begin};
  }
  const std::int64_t width = plan.padded_width(), rows = plan.band_image_rows(begin);
  for (std::int64_t i = 0; i < rows; ++i) {
    const PaddedRow row = padded_row(plan, image, first + i);
    float* to = scratch.band + i * width * C;
    std::fill_n(to, row.before * C, 0.0F);
    std::copy_n(row.image, row.pixels * C, to + row.before * C);
    std::fill(to + (row.before + row.pixels) * C, to + width * C, 0.0F);
  }
  return {scratch.band, width * C, C, begin};
}

Conv2dShape with_flat_images(const Conv2dShape& shape) {
  const bool flat = shape.R == 1 && shape.S == 1 && shape.stride_h == 1 && shape.stride_w == 1 &&
                    shape.pad_h == 0 && shape.pad_w == 0;
  if (!flat || shape.H * shape.W * std::max(shape.C, shape.K) > kBandFloats) return shape;
  Conv2dShape single = shape;
  single.H = 1;
  single.W = shape.H * shape.W;
  return single;
}

}  // namespace gradflip
