// The convolution that a plan describes, in f32.
#pragma once

#include "kernels/conv2d/cpu/conv2d_plan.h"

namespace gradflip {

// image: N of the plan's; filter RSCK; out: every value of the result.
void convolve(const ConvolutionPlan& plan, const float* image, const float* filter,
              const Conv2dEpilogue& epilogue, float* out, const ConvolutionScratch& scratch);

}  // namespace gradflip
