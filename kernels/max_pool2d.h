// Max pooling, any window, stride and padding (padding < window, and never wins).
//
//   y[n,p,q,c] = max over r,s of x[n,h,w,c],  h and w as in pool2d.h
// x is NHWC, y NPQC, both dense f32. winner[n,p,q,c] = r*window_w + s of the maximum; of equal
// values the first wins, and a NaN beats every number. N may be 0. No pointer may alias another.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/pool2d.h"

namespace gradflip {

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

// y[n,p,q,c] = x[n,h,w,c] at the winner of another x: the way of a derivative through the forward.
// Overwrites y.
void max_pool2d_take(Cpu ctx, const Pool2dShape& shape, const float* x, const std::int32_t* winner,
                     float* y);
void max_pool2d_take(Cuda ctx, const Pool2dShape& shape, const float* x, const std::int32_t* winner,
                     float* y);

}  // namespace gradflip
