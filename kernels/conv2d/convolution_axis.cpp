#include "kernels/conv2d/convolution_axis.h"

#include <algorithm>
#include <numeric>

namespace gradflip {
namespace {

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

ConvolutionAxis ConvolutionAxis::forward(std::int64_t size, std::int64_t taps, std::int64_t stride,
                                         std::int64_t pad, std::int64_t dilation) {
  ConvolutionAxis axis;
  axis.size_ = axis.input_ = size;
  axis.taps_ = taps;
  axis.dilation_ = dilation;
  axis.before_ = pad;
  axis.step_ = stride;
  axis.extent_ = dilation * (taps - 1) + 1;
  axis.count_ = (size + 2 * pad - axis.extent_) / stride + 1;
  return axis;
}

ConvolutionAxis ConvolutionAxis::gradient(std::int64_t size, std::int64_t taps, std::int64_t stride,
                                          std::int64_t pad, std::int64_t dilation) {
  ConvolutionAxis axis;
  axis.gradient_ = true;
  axis.input_ = size;
  axis.taps_ = taps;
  axis.stride_ = stride;
  axis.pad_ = pad;
  axis.dilation_ = dilation;
  axis.size_ = (size + 2 * pad - dilation * (taps - 1) - 1) / stride + 1;
  axis.walks_ = std::min(stride, size);
  axis.count_ = ceil_divide(size, stride);
  bool any = false;
  for (std::int64_t residue = 0; residue < axis.walks_; ++residue) {
    const AxisWalk walk = axis.gradient_walk(residue, 0);
    if (walk.taps == 0) continue;
    axis.before_ = any ? std::max(axis.before_, -walk.first) : -walk.first;
    any = true;
  }
  for (std::int64_t residue = 0; residue < axis.walks_; ++residue) {
    const AxisWalk walk = axis.gradient_walk(residue, axis.before_);
    if (walk.taps == 0) continue;
    axis.extent_ = std::max(axis.extent_, walk.first + (walk.taps - 1) * walk.dilation + 1);
  }
  return axis;
}

// Input pixel a + i*stride meets tap r at output (a + pad - r*dilation) / stride + i, where that is
// a whole number: for every stride/gcd(stride, dilation)th r. The last of these comes first.
AxisWalk ConvolutionAxis::gradient_walk(std::int64_t residue, std::int64_t before) const {
  AxisWalk walk{
      .count = ceil_divide(input_ - residue, stride_), .out_first = residue, .out_step = stride_};
  const auto met = [&](std::int64_t r) { return (residue + pad_ - r * dilation_) % stride_ == 0; };
  const std::int64_t common = std::gcd(stride_, dilation_);
  const std::int64_t period = stride_ / common;
  std::int64_t first = 0;
  while (first < std::min(period, taps_) && !met(first)) ++first;
  if (first >= std::min(period, taps_)) return walk;
  walk.taps = (taps_ - 1 - first) / period + 1;
  walk.dilation = dilation_ / common;
  walk.first_tap = first + (walk.taps - 1) * period;
  walk.tap_step = -period;
  walk.first = before + (residue + pad_ - walk.first_tap * dilation_) / stride_;
  return walk;
}

AxisWalk ConvolutionAxis::walk(std::int64_t index) const {
  if (gradient_) return gradient_walk(index, before_);
  return {.count = count_, .step = step_, .taps = taps_, .dilation = dilation_};
}

TapRange ConvolutionAxis::taps_in_image(const AxisWalk& walk, std::int64_t i) const {
  const std::int64_t first = walk.first + i * walk.step - before_;  // in the image
  const std::int64_t begin = first >= 0 ? 0 : ceil_divide(-first, walk.dilation);
  const std::int64_t end = first >= size_ ? 0 : ceil_divide(size_ - first, walk.dilation);
  return {std::min(begin, walk.taps), std::clamp(end, std::min(begin, walk.taps), walk.taps)};
}

}  // namespace gradflip
