// Convolutions with operands rounded to bf16, where the processor multiplies pairs of them.
#pragma once

#include <cstdint>

#include "kernels/conv2d/cpu/conv2d_plan.h"
#include "kernels/conv2d/cpu/filter_gradient_plan.h"
#include "kernels/cpu/scratch.h"
#include "kernels/write.h"

namespace gradflip {

struct Bf16Conv2d {
  std::int64_t (*convolve_bytes)(const ConvolutionPlan& plan);
  void (*convolve)(const ConvolutionPlan& plan, const float* image, const float* filter,
                   const Conv2dEpilogue& epilogue, float* out, Scratch scratch);
  std::int64_t (*backward_filter_bytes)(const FilterGradientPlan& plan);
  void (*backward_filter)(const FilterGradientPlan& plan, const float* x, const float* dy,
                          Write write, float* dfilter, Scratch scratch);
};

// Null where this processor has no such products, or the compiler cannot make them.
const Bf16Conv2d* avx512_bf16_conv2d();

// What shape.math asks for; null: f32.
inline const Bf16Conv2d* bf16_conv2d(const Conv2dShape& shape) {
  return shape.math == Math::kBf16 ? avx512_bf16_conv2d() : nullptr;
}

}  // namespace gradflip
