// Stochastic gradient descent with momentum and weight decay, as torch.optim.SGD defines it.
//
//   g        = gradient_scale * gradient + weight_decay * weight
//   velocity = momentum * velocity + g
//   weight   = weight - learning_rate * (nesterov ? g + momentum * velocity : velocity)
// The velocity starts at zero. Nesterov's momentum is that of Sutskever et al., "On the importance
// of initialization and momentum in deep learning" (ICML 2013), in the form that torch has.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/update_kinds.h"

namespace gradflip {

struct SgdOptions {
  float momentum = 0.0F;
  float weight_decay = 0.0F;
  bool nesterov = false;
};

// All pointers are into the context's memory.
struct SgdUpdate {
  SgdOptions options = {};
  std::int64_t size = 0;                 // of gradient, weight and velocity; may be 0
  const float* learning_rate = nullptr;  // one float
  // Where *frozen is not zero nothing is written, so a step that diverged leaves the last finite
  // weights behind. May be null.
  const std::int32_t* frozen = nullptr;
  const UpdateKind* kinds = nullptr;      // null: everything, with weight decay
  const float* gradient_scale = nullptr;  // one float, such as gradient_norm's; null: 1
  const float* gradient = nullptr;
  float* weight = nullptr;  // updated in place, as velocity; no aliases
  float* velocity = nullptr;
};

void sgd(Cpu ctx, const SgdUpdate& update);
void sgd(Cuda ctx, const SgdUpdate& update);

}  // namespace gradflip
