// How the CPU's convolutions go over a batch, forward and for the gradient of the input.
// Independent of the instruction set: rows of scratch are whole vectors of the widest one.
#pragma once

#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/conv2d/convolution_axis.h"
#include "kernels/cpu/scratch.h"

namespace gradflip {

inline constexpr std::int64_t kRowElements = 16;  // 64 bytes: one AVX-512 vector, one cache line

constexpr std::int64_t whole_vectors(std::int64_t elements) {
  return (elements + kRowElements - 1) / kRowElements * kRowElements;
}

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
