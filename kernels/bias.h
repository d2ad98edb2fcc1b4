// One value per channel, added to every row: y[i,c] = x[i,c] + bias[c]. x, y: (rows, channels),
// dense f32.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/write.h"

namespace gradflip {

// Overwrites y; y may be x. rows may be 0.
void bias_forward(Cpu ctx, std::int64_t rows, std::int64_t channels, const float* x,
                  const float* bias, float* y);
void bias_forward(Cuda ctx, std::int64_t rows, std::int64_t channels, const float* x,
                  const float* bias, float* y);

// dbias[c] (+)= sum over rows of dy[i,c], added in a fixed order. rows = 0 contributes zeros.
void bias_backward(Cpu ctx, std::int64_t rows, std::int64_t channels, const float* dy, Write write,
                   float* dbias);
void bias_backward(Cuda ctx, std::int64_t rows, std::int64_t channels, const float* dy, Write write,
                   float* dbias);

}  // namespace gradflip
