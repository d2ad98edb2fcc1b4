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
//
#include "kernels/conv2d/cpu/accumulate_panel.h"

// (pixels, K) with zeros up to whole vectors.
void widen_pixels(std::int64_t pixels, std::int64_t K, std::int64_t stride, const float* dy,
                  float* to) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel, dy += K, to += stride) {
    std::copy_n(dy, K, to);
    std::fill(to + K, to + stride, 0.0F);
  }
}

void add_panel(const FilterGradientPlan& plan, const PanelRange& range, const float* x,
               const float* dy, const FilterGradientScratch& scratch) {
  const Conv2dShape& shape = plan.shape;
  const std::int64_t channels = vectors_for(shape.K) * kLanes;
  const std::int64_t image_floats = shape.H * shape.W * shape.C;
  const std::int64_t rows = plan.image_rows(range.rows);
  const std::int64_t first_row = range.p * shape.stride_h;
  const GradientPanel panel{.images = range.images,
                            .rows = range.rows,
                            .columns = plan.Q,
                            .x_image = plan.in_place ? image_floats : rows * plan.width,
                            .x_row = shape.stride_h * plan.width,
                            .x_column = plan.pixel_stride,
                            .dy_image = range.rows * plan.Q * channels,
                            .dy_row = plan.Q * channels,
                            .dy_column = channels};
  const float* panel_x = x + range.n * image_floats + first_row * plan.width;
  if (!plan.in_place) {
    for (std::int64_t image = 0; image < range.images; ++image) {
      copy_panel_rows(plan, x + (range.n + image) * image_floats, first_row, rows,
                      scratch.x + image * panel.x_image);
    }
    panel_x = scratch.x;
  }
  const float* panel_dy = dy + (range.n * plan.P + range.p) * plan.Q * shape.K;
  if (shape.K != channels) {
    widen_pixels(range.images * range.rows * plan.Q, shape.K, channels, panel_dy, scratch.dy);
    panel_dy = scratch.dy;
  }
  accumulate_panel<1>(plan, {panel, panel_x, panel_dy, range}, scratch.sum);
}

void backward_filter_simd(const FilterGradientPlan& plan, const float* x, const float* dy,
                          Write write, float* dfilter, const FilterGradientScratch& scratch) {
  const Conv2dShape& shape = plan.shape;
  const std::int64_t channels = vectors_for(shape.K) * kLanes;
  std::fill_n(scratch.sum, shape.R * shape.S * shape.C * channels, 0.0F);
  for_each_panel(plan, [&](const PanelRange& range) { add_panel(plan, range, x, dy, scratch); });
  write_sums(shape, channels, scratch.sum, write, dfilter);
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
