// Rectifier. A NaN stays a NaN: a plain `x > 0 ? x : 0` would hide it.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

// y = x <= 0 ? 0 : x. Overwrites y; y may be x. size may be 0.
void relu_forward(Cpu ctx, std::int64_t size, const float* x, float* y);
void relu_forward(Cuda ctx, std::int64_t size, const float* x, float* y);

// dx = y <= 0 ? 0 : dy, with y the forward's output (a NaN in y lets dy through). Overwrites dx; dx
// may be dy.
void relu_backward(Cpu ctx, std::int64_t size, const float* y, const float* dy, float* dx);
void relu_backward(Cuda ctx, std::int64_t size, const float* y, const float* dy, float* dx);

}  // namespace gradflip
