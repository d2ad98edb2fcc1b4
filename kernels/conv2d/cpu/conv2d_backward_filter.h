// The filter's gradient, in f32.
#pragma once

#include "kernels/conv2d/cpu/filter_gradient_plan.h"

namespace gradflip {

void conv2d_backward_filter(const FilterGradientPlan& plan, const float* x, const float* dy,
                            Write write, float* dfilter, const FilterGradientScratch& scratch);

}  // namespace gradflip
