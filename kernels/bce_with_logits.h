// Binary cross-entropy of logits z against labels y in [0, 1], loss and gradient in one pass.
//
//   y'         = (1 - s) * y + s / 2,  s: label_smoothing
//   loss     (+)= sum over i of max(z, 0) - z*y + log(1 + exp(-|z|))     (a sum, not a mean)
//   dlogits[i] = scale * (sigmoid(z) - y')
// The gradient follows the smoothed label, the loss that is shown of it the label: 0 stays
// certainty. Stable for any finite logit. The loss is summed in double, in an order that depends on N only.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/write.h"

namespace gradflip {

// label_smoothing: in [0, 1]. logits, labels, dlogits: (N) f32; loss: one float. dlogits is overwritten, may be logits, may be
// null. N = 0 adds no loss.
void bce_with_logits(Cpu ctx, std::int64_t N, float label_smoothing, Scale scale,
                     const float* logits, const float* labels, Write write, float* loss,
                     float* dlogits);
void bce_with_logits(Cuda ctx, std::int64_t N, float label_smoothing, Scale scale,
                     const float* logits, const float* labels, Write write, float* loss,
                     float* dlogits);

// The same of each row by itself, where rows are weighted before they are added:
//
//   losses[i]  = max(z, 0) - z*y' + log(1 + exp(-|z|))
//   plain[i]   = max(z, 0) - z*y + log(1 + exp(-|z|))
//   dlogits[i] = sigmoid(z) - y', the derivative of losses[i]
//
// losses, plain: (N), overwritten; they overlap no other array, and plain may be null. Everything
// else as above.
void bce_with_logits_rows(Cpu ctx, std::int64_t N, float label_smoothing, const float* logits,
                          const float* labels, float* losses, float* plain, float* dlogits);
void bce_with_logits_rows(Cuda ctx, std::int64_t N, float label_smoothing, const float* logits,
                          const float* labels, float* losses, float* plain, float* dlogits);

// Throws std::invalid_argument unless N >= 0 and label_smoothing is in [0, 1].
void require_valid_bce(std::int64_t N, float label_smoothing);

}  // namespace gradflip
