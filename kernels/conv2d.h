// Two-dimensional convolution (cross-correlation, as in PyTorch), any stride, padding and dilation.
//
//   y[n,p,q,k] = epilogue(sum over r,s,c of x[n,h,w,c] * filter[r,s,c,k])
//   h = p*stride_h - pad_h + r*dilation_h,  w = q*stride_w - pad_w + s*dilation_w
// x is NHWC, filter RSCK, y NPQK, all dense f32; positions outside x count as zero. N may be 0.
// No pointer may alias another. Bad geometry throws std::invalid_argument.
//
// Zeros of padding may be multiplied like other values: where what meets them is not finite, NaN
// comes of it. An image's y and dx do not depend on the images beside it, nor on N.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/math_mode.h"
#include "kernels/rectifier.h"
#include "kernels/write.h"

namespace gradflip {

struct Conv2dShape {
  std::int64_t N = 0, H = 0, W = 0, C = 0;
  std::int64_t K = 0, R = 0, S = 0;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_h = 0, pad_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  Math math = Math::kF32;

  std::int64_t P() const { return (H + 2 * pad_h - dilation_h * (R - 1) - 1) / stride_h + 1; }
  std::int64_t Q() const { return (W + 2 * pad_w - dilation_w * (S - 1) - 1) / stride_w + 1; }
};

// Throws std::invalid_argument unless the sizes are positive (N may be 0) and the filter fits the
// padded image.
void require_valid(const Conv2dShape& shape);

// What becomes of a value before it is written: + bias[k], then the rectifier.
struct Conv2dEpilogue {
  const float* bias = nullptr;  // (K); null: none
  Rectifier rectifier = kIdentity;
};

// Scratch: every function takes conv2d_workspace_bytes(ctx, shape) bytes at `workspace`, 64-byte
// aligned; its contents need not survive between calls. No more for a smaller N.
std::int64_t conv2d_workspace_bytes(Cpu ctx, const Conv2dShape& shape);
std::int64_t conv2d_workspace_bytes(Cuda ctx, const Conv2dShape& shape);

// Overwrites y.
void conv2d_forward(Cpu ctx, const Conv2dShape& shape, const float* x, const float* filter,
                    const Conv2dEpilogue& epilogue, float* y, void* workspace);
void conv2d_forward(Cuda ctx, const Conv2dShape& shape, const float* x, const float* filter,
                    const Conv2dEpilogue& epilogue, float* y, void* workspace);

// dx[n,h,w,c] = sum over the y that x[n,h,w,c] went into of dy * filter, where dy is the gradient
// before the epilogue. Overwrites dx.
void conv2d_backward_data(Cpu ctx, const Conv2dShape& shape, const float* dy, const float* filter,
                          float* dx, void* workspace);
void conv2d_backward_data(Cuda ctx, const Conv2dShape& shape, const float* dy, const float* filter,
                          float* dx, void* workspace);

// dfilter[r,s,c,k] (+)= sum over n,p,q of x[n,h,w,c] * dy[n,p,q,k]. N = 0 contributes zeros.
void conv2d_backward_filter(Cpu ctx, const Conv2dShape& shape, const float* x, const float* dy,
                            Write write, float* dfilter, void* workspace);
void conv2d_backward_filter(Cuda ctx, const Conv2dShape& shape, const float* x, const float* dy,
                            Write write, float* dfilter, void* workspace);

}  // namespace gradflip
