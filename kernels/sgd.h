// Stochastic gradient descent with momentum and weight decay, as torch.optim.SGD defines it.
//
//   velocity = momentum * velocity + (gradient + weight_decay * weight)
//   weight   = weight - learning_rate * velocity
// The velocity starts at zero. learning_rate is one float in the context's memory. Where *frozen is
// not zero (`frozen` may be null) nothing is written, so a step that diverged leaves the last
// finite weights behind.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

struct SgdOptions {
  float momentum = 0.0F;
  float weight_decay = 0.0F;
};

// gradient, weight, velocity: (size) f32, updated in place, no aliases. size may be 0.
void sgd(Cpu ctx, std::int64_t size, const SgdOptions& options, const float* learning_rate,
         const std::int32_t* frozen, const float* gradient, float* weight, float* velocity);
void sgd(Cuda ctx, std::int64_t size, const SgdOptions& options, const float* learning_rate,
         const std::int32_t* frozen, const float* gradient, float* weight, float* velocity);

}  // namespace gradflip
