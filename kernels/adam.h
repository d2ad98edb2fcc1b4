// Adam (Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1), and
// with `decoupled` AdamW (Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019,
// algorithm 2), as torch.optim.Adam and AdamW define them. The t-th update, t = 1, 2, ...:
//
//   g             = gradient_scale * gradient + (decoupled ? 0 : weight_decay * weight)
//   weight        = weight - (decoupled ? learning_rate * weight_decay * weight : 0)
//   first_moment  = beta1 * first_moment + (1 - beta1) * g
//   second_moment = beta2 * second_moment + (1 - beta2) * g^2
//   weight        = weight - learning_rate * m / (sqrt(v) + epsilon)
//     with m = first_moment / (1 - beta1^t), v = second_moment / (1 - beta2^t)
// The moments start at zero.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/context.h"
#include "kernels/host_device.h"
#include "kernels/update_kinds.h"

namespace gradflip {

struct AdamOptions {
  float beta1 = 0.9F, beta2 = 0.999F;  // in [0, 1)
  float epsilon = 1e-8F;               // > 0
  float weight_decay = 0.0F;           // >= 0
  bool decoupled = false;
};

// All pointers are into the context's memory.
struct AdamUpdate {
  AdamOptions options = {};
  std::int64_t size = 0;                 // of gradient, weight and the moments; may be 0
  const float* learning_rate = nullptr;  // one float
  // How many updates there were, t - 1. Only read, as an update may be called in pieces; count it
  // with count_update (advance_step.h) when it is complete.
  const std::int64_t* updates = nullptr;
  const std::int32_t* frozen = nullptr;   // where not zero nothing is written; may be null
  const UpdateKind* kinds = nullptr;      // null: everything, with weight decay
  const float* gradient_scale = nullptr;  // one float, such as gradient_norm's; null: 1
  const float* gradient = nullptr;
  float* weight = nullptr;  // updated in place, as the moments; no aliases
  float* first_moment = nullptr;
  float* second_moment = nullptr;
};

// Throws std::invalid_argument unless the options are in their ranges.
void require_valid(const AdamOptions& options);

void adam(Cpu ctx, const AdamUpdate& update);
void adam(Cuda ctx, const AdamUpdate& update);

// What is the same for all elements of one update.
struct AdamFactors {
  float rate;           // learning_rate / (1 - beta1^t)
  float root_factor;    // 1 / sqrt(1 - beta2^t)
  float coupled_decay;  // of the gradient
  float weight_loss;    // learning_rate * weight_decay where decoupled
  float gradient_scale;
};

// For every backend. In double: 1 - beta^t cancels while t is small.
GRADFLIP_HOST_DEVICE inline AdamFactors adam_factors(const AdamUpdate& update) {
  const AdamOptions& options = update.options;
  const auto t = static_cast<double>(*update.updates + 1);
  const double correction1 = 1.0 - std::pow(static_cast<double>(options.beta1), t);
  const double correction2 = 1.0 - std::pow(static_cast<double>(options.beta2), t);
  const float rate = *update.learning_rate;
  return {static_cast<float>(static_cast<double>(rate) / correction1),
          static_cast<float>(1.0 / std::sqrt(correction2)),
          options.decoupled ? 0.0F : options.weight_decay,
          options.decoupled ? rate * options.weight_decay : 0.0F,
          update.gradient_scale == nullptr ? 1.0F : *update.gradient_scale};
}

}  // namespace gradflip
