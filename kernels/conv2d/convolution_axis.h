// How a convolution walks an image along one axis. Forward, and the gradient of its input, are the
// same kind of walk: over x under a filter, and over dy under the filter turned round.
#pragma once

#include <cstdint>

namespace gradflip {

// Along one axis: out[out_first + i*out_step] = sum over t < taps of
// padded[first + i*step + t*dilation] * filter[first_tap + t*tap_step], for all i < count.
struct AxisWalk {
  std::int64_t count = 0, step = 1;
  std::int64_t first = 0, taps = 0, dilation = 1;
  std::int64_t first_tap = 0, tap_step = 1;
  std::int64_t out_first = 0, out_step = 1;
};

// Taps [begin, end) of a walk.
struct TapRange {
  std::int64_t begin, end;
  friend bool operator==(const TapRange&, const TapRange&) = default;
};

// One axis of a convolution: the image with zeros around it, and the walks over it.
class ConvolutionAxis {
 public:
  static ConvolutionAxis forward(std::int64_t size, std::int64_t taps, std::int64_t stride,
                                 std::int64_t pad, std::int64_t dilation);
  // Of the input of such a convolution. With a stride, pixels that are the same modulo it meet the
  // same taps: each such class is a walk of its own, at steps of 1, some without any tap.
  static ConvolutionAxis gradient(std::int64_t size, std::int64_t taps, std::int64_t stride,
                                  std::int64_t pad, std::int64_t dilation);

  std::int64_t walks() const { return walks_; }
  AxisWalk walk(std::int64_t index) const;

  // The taps that output i of a walk meets in the image; none of those before and behind it does.
  TapRange taps_in_image(const AxisWalk& walk, std::int64_t i) const;

  std::int64_t size() const { return size_; }      // of the image that is walked over
  std::int64_t before() const { return before_; }  // zeros ahead of it; < 0: pixels that it lacks
  std::int64_t count() const { return count_; }    // of the longest walk
  std::int64_t step() const { return step_; }
  // Padded pixels under outputs i < `count` of any walk.
  std::int64_t padded(std::int64_t count) const { return (count - 1) * step_ + extent_; }
  // Whether the walks stay in the image, and begin where it does.
  bool in_image() const { return before_ == 0 && padded(count_) <= size_; }

 private:
  AxisWalk gradient_walk(std::int64_t residue, std::int64_t before) const;

  bool gradient_ = false;
  std::int64_t input_ = 0, taps_ = 0, stride_ = 1, pad_ = 0, dilation_ = 1;  // of the convolution
  std::int64_t size_ = 0, before_ = 0, walks_ = 1, count_ = 0, step_ = 1, extent_ = 1;
};

}  // namespace gradflip
