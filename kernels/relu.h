// Rectifiers: rectifier.h has their formulas. A NaN stays a NaN: a plain `x > 0 ? x : 0` would hide
// it.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/rectifier.h"

namespace gradflip {

// Throws std::invalid_argument unless the slope is in [0, 1] and the cap above 0.
void require_valid(const Rectifier& rectifier);

// y = rectified(rectifier, x). Overwrites y; y may be x. size may be 0.
void relu_forward(Cpu ctx, std::int64_t size, const float* x, float* y,
                  const Rectifier& rectifier = {});
void relu_forward(Cuda ctx, std::int64_t size, const float* x, float* y,
                  const Rectifier& rectifier = {});

// dx = rectified_gradient(rectifier, y, dy), with y the forward's output (a NaN in y lets dy
// through). Overwrites dx; dx may be dy.
void relu_backward(Cpu ctx, std::int64_t size, const float* y, const float* dy, float* dx,
                   const Rectifier& rectifier = {});
void relu_backward(Cuda ctx, std::int64_t size, const float* y, const float* dy, float* dx,
                   const Rectifier& rectifier = {});

}  // namespace gradflip
