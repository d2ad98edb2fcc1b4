// Softmax and its logarithm of each row of logits, and the way back.
//
//   softmax       y[i,j] = exp(x[i,j]) / sum_k exp(x[i,k])
//   log_softmax   y[i,j] = x[i,j] - log(sum_k exp(x[i,k]))
// Stable for any finite logits: the row's maximum m is subtracted, and what the others sum up to is
// kept beside the 1 of the maximum, so that a nearly certain row keeps the digits of -log(y). A
// finite logit has a finite log_softmax: the lowest f32 where that would not reach; one of -inf has
// 0 and -inf. A row with a NaN or +inf, or of nothing but -inf, is all NaN.
// In f32; an exponential is as exact as elementwise.h says, of a rounded x - m. A row's bits do not
// depend on the rows beside it.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

struct SoftmaxShape {
  std::int64_t N = 0, num_classes = 0;
};

// Throws std::invalid_argument unless N >= 0 and num_classes > 0.
void require_valid(const SoftmaxShape& shape);

// logits, y: (N, num_classes) f32. Overwrites y, which may be logits.
void softmax(Cpu ctx, const SoftmaxShape& shape, const float* logits, float* y);
void softmax(Cuda ctx, const SoftmaxShape& shape, const float* logits, float* y);
void log_softmax(Cpu ctx, const SoftmaxShape& shape, const float* logits, float* y);
void log_softmax(Cuda ctx, const SoftmaxShape& shape, const float* logits, float* y);

// From the forward's output y and dy:
//   softmax_backward       dx[i,j] = y[i,j] (dy[i,j] - sum_k y[i,k] dy[i,k])
//   log_softmax_backward   dx[i,j] = dy[i,j] - exp(y[i,j]) sum_k dy[i,k]
// Overwrites dx, which may be y or dy. A row's sum is in f32.
void softmax_backward(Cpu ctx, const SoftmaxShape& shape, const float* y, const float* dy,
                      float* dx);
void softmax_backward(Cuda ctx, const SoftmaxShape& shape, const float* y, const float* dy,
                      float* dx);
void log_softmax_backward(Cpu ctx, const SoftmaxShape& shape, const float* y, const float* dy,
                          float* dx);
void log_softmax_backward(Cuda ctx, const SoftmaxShape& shape, const float* y, const float* dy,
                          float* dx);

}  // namespace gradflip
