// Elementwise helpers on dense f32 arrays of `size` elements; size may be 0; y may be any of the
// inputs.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/write.h"

namespace gradflip {

// y = value
void fill(Cpu ctx, std::int64_t size, float value, float* y);
void fill(Cuda ctx, std::int64_t size, float value, float* y);

// y = a + b
void add(Cpu ctx, std::int64_t size, const float* a, const float* b, float* y);
void add(Cuda ctx, std::int64_t size, const float* a, const float* b, float* y);

// y = factor * x
void scale(Cpu ctx, std::int64_t size, Scale factor, const float* x, float* y);
void scale(Cuda ctx, std::int64_t size, Scale factor, const float* x, float* y);

}  // namespace gradflip
