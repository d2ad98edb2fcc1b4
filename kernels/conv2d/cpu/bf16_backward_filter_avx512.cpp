// conv2d_backward_filter with operands rounded to bf16: what conv2d_backward_filter.cpp does in f32,
// on pairs of neighbouring pixels.
//
// Element i of a row of x becomes the pair of it and of what the next pixel has in its place, so
// that every tap finds its pairs; of an odd row of dy the last pair ends in zero.

#include <algorithm>

#include "kernels/conv2d/cpu/bf16_conv2d_avx512.h"
#include "kernels/cpu/convolution_bf16_avx512.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace gradflip {
namespace {

#include "kernels/cpu/filter_gradient_tile.h"
//
#include "kernels/conv2d/cpu/accumulate_panel.h"

struct Bf16FilterScratch {
  Bf16FilterScratch(const FilterGradientPlan& plan, Scratch scratch) {
    const Conv2dShape& shape = plan.shape;
    const std::int64_t channels = whole_vectors(shape.K);
    sum = scratch.take<float>(shape.R * shape.S * shape.C * channels);
    row = scratch.take<float>(plan.in_place ? 0 : plan.width);
    x = scratch.take<Element>(plan.images * plan.image_rows(plan.rows) * plan.width);
    dy = scratch.take<Element>(plan.images * plan.rows * ((plan.Q + 1) / 2) * channels);
    bytes = scratch.bytes();
  }
  float* sum;
  float* row;
  Element* x;
  Element* dy;
  std::int64_t bytes;
};

// Rows of x of one image, as pairs of neighbours.
void pair_rows(const FilterGradientPlan& plan, const float* image, std::int64_t first,
               std::int64_t rows, float* row, Element* to) {
  for (std::int64_t i = 0; i < rows; ++i, to += plan.width) {
    const float* from = row;
    if (plan.in_place) {
      from = image + (first + i) * plan.width;
    } else {
      copy_panel_rows(plan, image, first + i, 1, row);
    }
    for (std::int64_t j = 0; j < plan.width; j += kLanes) {
      const std::int64_t next = j + plan.pixel_stride;
      const Elements pairs =
          rounded_pairs(plan.width - j, from + j, plan.width - next, from + next);
      _mm512_mask_storeu_epi32(to + j, first_lanes(plan.width - j), pairs);
    }
  }
}

// `rows` rows of dy: (rows, pairs of pixels, whole vectors of channels).
void pair_gradients(const FilterGradientPlan& plan, std::int64_t rows, const float* dy,
                    std::int64_t channels, Element* to) {
  const std::int64_t K = plan.shape.K;
  for (std::int64_t row = 0; row < rows; ++row, dy += plan.Q * K) {
    for (std::int64_t q = 0; q < plan.Q; q += 2, to += channels) {
      const float* even = dy + q * K;
      const std::int64_t odd = q + 1 < plan.Q ? K : 0;
      for (std::int64_t k = 0; k < channels; k += kLanes) {
        _mm512_storeu_si512(to + k, rounded_pairs(K - k, even + k, odd - k, even + K + k));
      }
    }
  }
}

void add_panel(const FilterGradientPlan& plan, const PanelRange& range, const float* x,
               const float* dy, const Bf16FilterScratch& scratch) {
  const Conv2dShape& shape = plan.shape;
  const std::int64_t channels = whole_vectors(shape.K);
  const std::int64_t image_floats = shape.H * shape.W * shape.C;
  const std::int64_t rows = plan.image_rows(range.rows);
  const std::int64_t pairs = (plan.Q + 1) / 2;
  const GradientPanel panel{.images = range.images,
                            .rows = range.rows,
                            .columns = pairs,
                            .x_image = rows * plan.width,
                            .x_row = shape.stride_h * plan.width,
                            .x_column = 2 * plan.pixel_stride,
                            .dy_image = range.rows * pairs * channels,
                            .dy_row = pairs * channels,
                            .dy_column = channels};
  for (std::int64_t image = 0; image < range.images; ++image) {
    pair_rows(plan, x + (range.n + image) * image_floats, range.p * shape.stride_h, rows,
              scratch.row, scratch.x + image * panel.x_image);
  }
  pair_gradients(plan, range.images * range.rows,
                 dy + (range.n * plan.P + range.p) * plan.Q * shape.K, channels, scratch.dy);
  accumulate_panel<2>(plan, {panel, scratch.x, scratch.dy, range}, scratch.sum);
}

}  // namespace

std::int64_t bf16_backward_filter_bytes(const FilterGradientPlan& plan) {
  return Bf16FilterScratch(plan, Scratch(nullptr)).bytes;
}

void bf16_backward_filter(const FilterGradientPlan& plan, const float* x, const float* dy,
                          Write write, float* dfilter, Scratch memory) {
  const Conv2dShape& shape = plan.shape;
  const Bf16FilterScratch scratch(plan, memory);
  const std::int64_t channels = whole_vectors(shape.K);
  std::fill_n(scratch.sum, shape.R * shape.S * shape.C * channels, 0.0F);
  for_each_panel(plan, [&](const PanelRange& range) { add_panel(plan, range, x, dy, scratch); });
  write_sums(shape, channels, scratch.sum, write, dfilter);
}

}  // namespace gradflip

HWY_POP_ATTRIBUTES
