// conv2d_backward_filter on the CPU.
//
// Decomposition  panel by panel (filter_gradient_plan.h), which the L2 cache keeps: for each block
//                of channels and tile of taps one pass over the panel's pixels, with the tile's sums
//                in registers. A pass loads a pixel's vectors of dy and broadcasts its values of x
//                under the taps, which are neighbours. x is read where it is, or in a copy with its
//                zeros around it.
// Numerics       every sum is one chain over the pixels in order, whatever the panels: it depends
//                on nothing but the shape.
// Cost           2*N*P*Q*R*S*C*K operations.

#include "kernels/conv2d/cpu/conv2d_backward_filter.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu/conv2d_backward_filter.cpp"
#include "kernels/cpu/convolution_f32.h"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

#include "kernels/cpu/filter_gradient_tile.h"

// Images [n, n + images), rows [p, p + rows) of their outputs.
struct PanelRange {
  std::int64_t n, images, p, rows;
};

// (pixels, K) with zeros up to whole vectors.
void widen_pixels(std::int64_t pixels, std::int64_t K, std::int64_t stride, const float* dy,
                  float* to) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel, dy += K, to += stride) {
    std::copy_n(dy, K, to);
    std::fill(to + K, to + stride, 0.0F);
  }
}

void accumulate_panel(const FilterGradientPlan& plan, const PanelRange& range, const float* x,
                      const float* dy, const FilterGradientScratch& scratch) {
  const Conv2dShape& shape = plan.shape;
  const ChannelBlocks blocks(shape.K);
  const std::int64_t sum_stride = blocks.vectors * kLanes;
  const std::int64_t image_floats = shape.H * shape.W * shape.C;
  const std::int64_t panel_rows = plan.image_rows(range.rows);
  const std::int64_t first_row = range.p * shape.stride_h;
  GradientPanel panel{.images = range.images,
                      .rows = range.rows,
                      .columns = plan.Q,
                      .x_image = plan.in_place ? image_floats : panel_rows * plan.width,
                      .x_row = shape.stride_h * plan.width,
                      .x_column = plan.pixel_stride,
                      .dy_column = sum_stride};
  const float* panel_x = x + range.n * image_floats + first_row * plan.width;
  if (!plan.in_place) {
    for (std::int64_t image = 0; image < range.images; ++image) {
      copy_panel_rows(plan, x + (range.n + image) * image_floats, first_row, panel_rows,
                      scratch.x + image * panel.x_image);
    }
    panel_x = scratch.x;
  }
  const float* panel_dy = dy + (range.n * plan.P + range.p) * plan.Q * shape.K;
  if (shape.K != sum_stride) {
    widen_pixels(range.images * range.rows * plan.Q, shape.K, sum_stride, panel_dy, scratch.dy);
    panel_dy = scratch.dy;
  }
  for (std::int64_t block = 0; block < blocks.count; ++block) {
    const std::int64_t first = blocks.begin(block) * kLanes;
    const std::int64_t vectors = blocks.begin(block + 1) - blocks.begin(block);
    float* sum = scratch.sum + first;
    for (std::int64_t r = 0; r < shape.R; ++r) {
      for (std::int64_t run = 0; run < plan.runs; ++run) {
        accumulate_run(vectors, plan.run_length, panel,
                       panel_x + r * shape.dilation_h * plan.width + run * plan.run_stride,
                       panel_dy + first, sum, sum_stride);
        sum += plan.run_length * sum_stride;
      }
    }
  }
}

void write_sums(const Conv2dShape& shape, std::int64_t stride, const float* sum, Write write,
                float* dfilter) {
  const std::int64_t K = shape.K;
  for (std::int64_t tap = 0; tap < shape.R * shape.S * shape.C;
       ++tap, sum += stride, dfilter += K) {
    if (write == Write::kOverwrite) {
      std::copy_n(sum, K, dfilter);
    } else {
      for (std::int64_t k = 0; k < K; ++k) dfilter[k] += sum[k];
    }
  }
}

void backward_filter_simd(const FilterGradientPlan& plan, const float* x, const float* dy,
                          Write write, float* dfilter, const FilterGradientScratch& scratch) {
  const Conv2dShape& shape = plan.shape;
  const std::int64_t stride = vectors_for(shape.K) * kLanes;
  std::fill_n(scratch.sum, shape.R * shape.S * shape.C * stride, 0.0F);
  for (std::int64_t n = 0; n < shape.N; n += plan.images) {
    for (std::int64_t p = 0; p < plan.P; p += plan.rows) {
      const PanelRange range{n, std::min(plan.images, shape.N - n), p,
                             std::min(plan.rows, plan.P - p)};
      accumulate_panel(plan, range, x, dy, scratch);
    }
  }
  write_sums(shape, stride, scratch.sum, write, dfilter);
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(backward_filter_simd);

void conv2d_backward_filter(const FilterGradientPlan& plan, const float* x, const float* dy,
                            Write write, float* dfilter, const FilterGradientScratch& scratch) {
  HWY_DYNAMIC_DISPATCH(backward_filter_simd)(plan, x, dy, write, dfilter, scratch);
}

}  // namespace gradflip
#endif  // HWY_ONCE
