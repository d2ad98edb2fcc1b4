// Each picture's channels, made to mean 0 and deviation 1 by their own numbers (Ulyanov et al.,
// 2016), and the way back.
//
//   y[n,p,c] = (x[n,p,c] - mean[n,c]) * rstd[n,c],  rstd = 1 / sqrt(variance[n,c] + eps)
// over the pixels p of picture n; the variance is the mean square of the deviations. x, y: (N,
// pixels, C), rstd: (N, C), dense f32. Sums are in f32, of deviations from a mean that is then
// corrected by theirs: numbers of 1000 that differ by 1 lose no digits. A channel of equal numbers
// becomes 0; one with a NaN or an infinity, NaN. N may be 0. No output may alias an input.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

struct InstanceNormShape {
  std::int64_t N = 0, pixels = 0, C = 0;
  float eps = 1e-5F;
};

// Throws std::invalid_argument unless N >= 0 and the others are above 0.
void require_valid(const InstanceNormShape& shape);

// Overwrites y and rstd.
void instance_norm_forward(Cpu ctx, const InstanceNormShape& shape, const float* x, float* y,
                           float* rstd);
void instance_norm_forward(Cuda ctx, const InstanceNormShape& shape, const float* x, float* y,
                           float* rstd);

// dx = rstd * (dy - mean of dy - y * mean of dy * y), from the forward's outputs. Overwrites dx.
void instance_norm_backward(Cpu ctx, const InstanceNormShape& shape, const float* y,
                            const float* rstd, const float* dy, float* dx);
void instance_norm_backward(Cuda ctx, const InstanceNormShape& shape, const float* y,
                            const float* rstd, const float* dy, float* dx);

}  // namespace gradflip
