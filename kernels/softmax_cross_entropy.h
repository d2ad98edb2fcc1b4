// Softmax cross-entropy with label smoothing: loss and gradient in one pass over the logits.
//
//   t[i,j]       = (1 - s) * (j == labels[i]) + s / num_classes,  s: label_smoothing
//   loss         (+)= sum over rows of -sum_j t[i,j] * log softmax(logits[i])[j]
//   dlogits[i,j] = scale * (softmax(logits[i])[j] - t[i,j])
// The loss is a sum, not a mean.
// Stable for any finite logits (the row's maximum is subtracted). The loss is summed in double, in
// an order that depends on the shape only.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/write.h"

namespace gradflip {

struct SoftmaxCrossEntropyShape {
  std::int64_t N = 0, num_classes = 0;
};

// Throws unless the sizes and the smoothing make sense.
void require_valid(const SoftmaxCrossEntropyShape& shape, float label_smoothing);

// logits, dlogits: (N, num_classes) f32; labels: (N) in [0, num_classes); loss: one float. dlogits
// is overwritten and may be logits; it may be null where only the loss is wanted. N = 0 adds no
// loss. A label out of range throws on the CPU. On CUDA only the device can see it: the loss and
// that row of dlogits become NaN, for which a training step is checked anyway (finite_guard.h).
void softmax_cross_entropy(Cpu ctx, const SoftmaxCrossEntropyShape& shape, float label_smoothing,
                           Scale scale, const float* logits, const std::int32_t* labels,
                           Write write, float* loss, float* dlogits);
void softmax_cross_entropy(Cuda ctx, const SoftmaxCrossEntropyShape& shape, float label_smoothing,
                           Scale scale, const float* logits, const std::int32_t* labels,
                           Write write, float* loss, float* dlogits);

// The same of each row by itself, where rows are weighted before they are added:
//
//   losses[i]    = -sum_j t[i,j] * log softmax(logits[i])[j]
//   dlogits[i,j] = softmax(logits[i])[j] - t[i,j], the derivative of losses[i]
//
// losses: (N), overwritten; it overlaps no other array. A row's bits do not depend on the rows
// beside it. Everything else as above.
void softmax_cross_entropy_rows(Cpu ctx, const SoftmaxCrossEntropyShape& shape,
                                float label_smoothing, const float* logits,
                                const std::int32_t* labels, float* losses, float* dlogits);
void softmax_cross_entropy_rows(Cuda ctx, const SoftmaxCrossEntropyShape& shape,
                                float label_smoothing, const float* logits,
                                const std::int32_t* labels, float* losses, float* dlogits);

}  // namespace gradflip
