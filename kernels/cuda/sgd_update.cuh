// One element's update, or four: sgd.h's formula as fused multiply-adds in the CPU's order, spelled
// out, so that every kernel that updates weights gives the same bits.
#pragma once

#include "kernels/cuda/simt.h"
#include "kernels/sgd.h"

namespace gradflip {

__device__ __forceinline__ void sgd_update(const SgdOptions& options, float rate, float gradient,
                                           float& weight, float& velocity) {
  velocity = fmaf(options.momentum, velocity, fmaf(options.weight_decay, weight, gradient));
  weight = fmaf(-rate, velocity, weight);
}

__device__ __forceinline__ void sgd_update(const SgdOptions& options, float rate,
                                           const float4& gradient, float4& weight,
                                           float4& velocity) {
  sgd_update(options, rate, gradient.x, weight.x, velocity.x);
  sgd_update(options, rate, gradient.y, weight.y, velocity.y);
  sgd_update(options, rate, gradient.z, weight.z, velocity.z);
  sgd_update(options, rate, gradient.w, weight.w, velocity.w);
}

}  // namespace gradflip
