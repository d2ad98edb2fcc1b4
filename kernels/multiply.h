// y = a * b on dense f32 arrays of `size` elements; size may be 0; y may be a or b.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

void multiply(Cpu ctx, std::int64_t size, const float* a, const float* b, float* y);
void multiply(Cuda ctx, std::int64_t size, const float* a, const float* b, float* y);

}  // namespace gradflip
