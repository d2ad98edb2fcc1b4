// How conv2d_backward_filter walks a batch on the CPU. A panel is what it walks with one set of sums
// in registers: some images, or some rows of one. Independent of the instruction set.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/cpu/scratch.h"
#include "kernels/write.h"

namespace gradflip {

// Outputs [begin, end) along an axis.
struct OutputRange {
  std::int64_t begin, end;
};

struct FilterGradientPlan {
  explicit FilterGradientPlan(const Conv2dShape& given);

  // Rows of the padded image under some rows of outputs.
  std::int64_t image_rows(std::int64_t some) const {
    return (some - 1) * shape.stride_h + (shape.R - 1) * shape.dilation_h + 1;
  }

  // The outputs whose tap r, or whose taps of a run, lie in the image: elsewhere they meet zeros.
  OutputRange rows_of_tap(std::int64_t r) const;
  OutputRange columns_of_run(std::int64_t run) const;

  Conv2dShape shape;  // with flat images
  std::int64_t P, Q;
  bool in_place;      // no zeros are needed
  bool side_by_side;  // the taps of a filter row that are apart and narrow are copied together
  // A filter row meets `runs` stretches of `run_length` neighbours in a row of the panel: its taps
  // one by one, or all of them where they are narrow.
  std::int64_t runs, run_length, run_stride;
  std::int64_t width;  // of a panel's row, in floats
  std::int64_t pixel_stride;
  std::int64_t rows, images;  // of a panel
};

struct FilterGradientScratch {
  FilterGradientScratch(const FilterGradientPlan& plan, Scratch scratch);

  float* sum;  // (R*S*C, K)
  float* dy;   // (pixels of a panel, K), where K is not whole vectors
  float* x;    // a panel's padded rows
  std::int64_t bytes;
};

// Rows [first, first + rows) of an image, in the panel's form.
void copy_panel_rows(const FilterGradientPlan& plan, const float* image, std::int64_t first,
                     std::int64_t rows, float* to);

// Images [n, n + images) and of each the rows [p, p + rows) of outputs.
struct PanelRange {
  std::int64_t n, images, p, rows;
};

// Calls visit(range) for each panel of the batch.
template <typename Visit>
void for_each_panel(const FilterGradientPlan& plan, const Visit& visit) {
  for (std::int64_t n = 0; n < plan.shape.N; n += plan.images) {
    for (std::int64_t p = 0; p < plan.P; p += plan.rows) {
      visit(PanelRange{n, std::min(plan.images, plan.shape.N - n), p,
                       std::min(plan.rows, plan.P - p)});
    }
  }
}

// sum (R*S*C, stride) to dfilter.
void write_sums(const Conv2dShape& shape, std::int64_t stride, const float* sum, Write write,
                float* dfilter);

}  // namespace gradflip
