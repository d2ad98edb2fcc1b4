// Max pooling, any window, stride and padding (padding < window, and never wins).
//
//   y[n,p,q,c] = max over r,s of x[n,h,w,c]
//   h = p*stride_h - pad_h + r,  w = q*stride_w - pad_w + s
// x is NHWC, y NPQC, both dense f32. winner[n,p,q,c] = r*window_w + s of the maximum; of equal
// values the first wins, and a NaN beats every number. N may be 0. No pointer may alias another.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

struct Pool2dShape {
  std::int64_t N = 0, H = 0, W = 0, C = 0;
  std::int64_t window_h = 2, window_w = 2;
  std::int64_t stride_h = 2, stride_w = 2;
  std::int64_t pad_h = 0, pad_w = 0;

  std::int64_t P() const { return (H + 2 * pad_h - window_h) / stride_h + 1; }
  std::int64_t Q() const { return (W + 2 * pad_w - window_w) / stride_w + 1; }
};

// Throws std::invalid_argument unless the sizes are positive (N may be 0), the window fits and pad
// < window.
void require_valid(const Pool2dShape& shape);

// Overwrites y and winner.
void max_pool2d_forward(Cpu ctx, const Pool2dShape& shape, const float* x, float* y,
                        std::int32_t* winner);
void max_pool2d_forward(Cuda ctx, const Pool2dShape& shape, const float* x, float* y,
                        std::int32_t* winner);

// dx = dy at each winner, added where windows overlap, zero elsewhere. Overwrites dx.
void max_pool2d_backward(Cpu ctx, const Pool2dShape& shape, const float* dy,
                         const std::int32_t* winner, float* dx);
void max_pool2d_backward(Cuda ctx, const Pool2dShape& shape, const float* dy,
                         const std::int32_t* winner, float* dx);

}  // namespace gradflip
