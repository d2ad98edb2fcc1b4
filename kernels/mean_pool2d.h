// Mean pooling, any window, stride and padding (padding < window, and not counted).
//
//   y[n,p,q,c] = the mean over r,s of those x[n,h,w,c] that exist,  h and w as in pool2d.h
// x is NHWC, y NPQC, both dense f32. A window of H x W makes one mean of each channel: global
// pooling. Sums are in f32, row by row of a window. N may be 0. No pointer may alias another.
#pragma once

#include "kernels/context.h"
#include "kernels/pool2d.h"

namespace gradflip {

// Overwrites y.
void mean_pool2d_forward(Cpu ctx, const Pool2dShape& shape, const float* x, float* y);
void mean_pool2d_forward(Cuda ctx, const Pool2dShape& shape, const float* x, float* y);

// dx = dy / how many x its mean is of, added where windows overlap, zero where none is. Overwrites
// dx.
void mean_pool2d_backward(Cpu ctx, const Pool2dShape& shape, const float* dy, float* dx);
void mean_pool2d_backward(Cuda ctx, const Pool2dShape& shape, const float* dy, float* dx);

}  // namespace gradflip
