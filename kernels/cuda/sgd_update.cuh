// One element's update, or four: sgd.h's formula as fused multiply-adds in the CPU's order, spelled
// out, so that every kernel that updates weights gives the same bits.
#pragma once

#include "kernels/cuda/simt.h"
#include "kernels/sgd.h"

namespace gradflip {

// What is the same for all elements of a launch.
struct SgdFactors {
  SgdOptions options;
  float rate;
  float gradient_scale = 1.0F;
};

__device__ __forceinline__ void sgd_update(const SgdFactors& factors, float decay, float gradient,
                                           float& weight, float& velocity) {
  const float momentum = factors.options.momentum;
  const float g = fmaf(decay, weight, factors.gradient_scale * gradient);
  velocity = fmaf(momentum, velocity, g);
  const float direction = factors.options.nesterov ? fmaf(momentum, velocity, g) : velocity;
  weight = fmaf(-factors.rate, direction, weight);
}

__device__ __forceinline__ void sgd_update(const SgdFactors& factors, float decay,
                                           const float4& gradient, float4& weight,
                                           float4& velocity) {
  sgd_update(factors, decay, gradient.x, weight.x, velocity.x);
  sgd_update(factors, decay, gradient.y, weight.y, velocity.y);
  sgd_update(factors, decay, gradient.z, weight.z, velocity.z);
  sgd_update(factors, decay, gradient.w, weight.w, velocity.w);
}

}  // namespace gradflip
