// Binary cross-entropy of logits z against labels y in [0, 1], loss and gradient in one pass.
//
//   loss     (+)= sum over i of max(z, 0) - z*y + log(1 + exp(-|z|))     (a sum, not a mean)
//   dlogits[i] = scale * (sigmoid(z) - y)
// Stable for any finite logit. The loss is summed in double, in an order that depends on N only.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/write.h"

namespace gradflip {

// logits, labels, dlogits: (N) f32; loss: one float. dlogits is overwritten, may be logits, may be
// null. N = 0 adds no loss.
void bce_with_logits(Cpu ctx, std::int64_t N, Scale scale, const float* logits, const float* labels,
                     Write write, float* loss, float* dlogits);
void bce_with_logits(Cuda ctx, std::int64_t N, Scale scale, const float* logits,
                     const float* labels, Write write, float* loss, float* dlogits);

}  // namespace gradflip
