// The parts that bf16_conv2d_avx512.cpp puts together.
#pragma once

#include "kernels/conv2d/cpu/bf16_conv2d.h"

namespace gradflip {

std::int64_t bf16_convolve_bytes(const ConvolutionPlan& plan);
void bf16_convolve(const ConvolutionPlan& plan, const float* image, const float* filter,
                   const Conv2dEpilogue& epilogue, float* out, Scratch scratch);

std::int64_t bf16_backward_filter_bytes(const FilterGradientPlan& plan);
void bf16_backward_filter(const FilterGradientPlan& plan, const float* x, const float* dy,
                          Write write, float* dfilter, Scratch scratch);

}  // namespace gradflip
