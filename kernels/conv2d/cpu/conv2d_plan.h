// How the CPU's convolutions walk an image. Forward, and the gradient of its input, are the same
// kind of walk: over x under a filter, and over dy under the filter turned round. Independent of
// the instruction set: rows of scratch are whole vectors of the widest one.
#pragma once

#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/cpu/scratch.h"

namespace gradflip {

inline constexpr std::int64_t kRowElements = 16;  // 64 bytes: one AVX-512 vector, one cache line

constexpr std::int64_t whole_vectors(std::int64_t elements) {
  return (elements + kRowElements - 1) / kRowElements * kRowElements;
}

// Along one axis: out[out_first + i*out_step] = sum over t < taps of
// padded[first + i*step + t*dilation] * filter[first_tap + t*tap_step], for all i < count.
struct AxisWalk {
  std::int64_t count = 0, step = 1;
  std::int64_t first = 0, taps = 0, dilation = 1;
  std::int64_t first_tap = 0, tap_step = 1;
  std::int64_t out_first = 0, out_step = 1;
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

// A whole convolution: walks by rows and by columns, and in which order to take them so that what
// is read again stays in a cache.
struct ConvolutionPlan {
  static ConvolutionPlan forward(const Conv2dShape& shape);
  static ConvolutionPlan backward_data(const Conv2dShape& shape);

  std::int64_t image_floats() const { return h.size() * w.size() * channels_in; }
  // Of a band from output `begin` on: rows of the padded image.
  std::int64_t band_image_rows(std::int64_t begin = 0) const {
    return h.padded(band_rows < h.count() - begin ? band_rows : h.count() - begin);
  }
  std::int64_t padded_width() const { return w.padded(w.count()); }

  std::int64_t N = 0, channels_in = 0, channels_out = 0;
  std::int64_t S = 0;  // of the filter
  ConvolutionAxis h, w;
  std::int64_t out_width = 0;  // pixels in a row of the result
  std::int64_t out_image_floats = 0;
  std::int64_t taps = 0;       // of all walks
  bool gradient = false;       // the filter is read (.., channels_out, channels_in)
  bool in_place = false;       // no zeros are needed
  std::int64_t band_rows = 0;  // outputs of each walk
  bool filter_first = false;   // a block of the filter for all images, then the next
};

struct ConvolutionScratch {
  ConvolutionScratch(const ConvolutionPlan& plan, Scratch scratch);

  float* bias;    // (channels_out), zeros where there is none
  float* filter;  // per block of channels, per walk: (taps, channels_in, channels of the block)
  float* band;    // padded rows of an image
  std::int64_t bytes;
};

// Rows of an image, padded, under outputs [begin, begin + band_rows) of each walk.
template <typename Element>
struct Band {
  const Element* elements;
  std::int64_t row_stride, channels;  // in elements
  std::int64_t begin;
};

// Of one image: copied to the scratch where there are zeros around it.
Band<float> band_of(const ConvolutionPlan& plan, const float* image, std::int64_t begin,
                    const ConvolutionScratch& scratch);

// A row of a padded image: `before` zeros, some pixels of the image, zeros.
struct PaddedRow {
  std::int64_t before, pixels;
  const float* image;
};
// Row `row` of the padded image.
PaddedRow padded_row(const ConvolutionPlan& plan, const float* image, std::int64_t row);

// Calls visit(walk by rows, walk by columns, taps of the walks before) for each pair of walks.
template <typename Visit>
void for_each_walk(const ConvolutionPlan& plan, const Visit& visit) {
  std::int64_t taps = 0;
  for (std::int64_t i = 0; i < plan.h.walks(); ++i) {
    const AxisWalk h = plan.h.walk(i);
    for (std::int64_t j = 0; j < plan.w.walks(); ++j) {
      const AxisWalk w = plan.w.walk(j);
      visit(h, w, taps);
      taps += h.taps * w.taps;
    }
  }
}

// The shape with each image as a single row, where that is the same convolution (1x1, stride 1, no
// padding) and an image is small enough to be one piece.
Conv2dShape with_flat_images(const Conv2dShape& shape);

}  // namespace gradflip
