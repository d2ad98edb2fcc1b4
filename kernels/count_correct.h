// How many rows a classifier gets right. Counts are exact in f32 up to 2^24 rows.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/write.h"

namespace gradflip {

// count (+)= rows whose arg-max (first of equals; a row with a NaN is never right) is labels[i].
// logits: (N, num_classes) f32; labels: (N); count: one float. N = 0 counts none.
void count_correct(Cpu ctx, std::int64_t N, std::int64_t num_classes, const float* logits,
                   const std::int32_t* labels, Write write, float* count);
void count_correct(Cuda ctx, std::int64_t N, std::int64_t num_classes, const float* logits,
                   const std::int32_t* labels, Write write, float* count);

// count (+)= rows whose logit lies on the label's side: z > 0 for label 1, z < 0 for label 0. z = 0
// or NaN is never right. logits, labels: (N) f32; count: one float.
void count_correct_binary(Cpu ctx, std::int64_t N, const float* logits, const float* labels,
                          Write write, float* count);
void count_correct_binary(Cuda ctx, std::int64_t N, const float* logits, const float* labels,
                          Write write, float* count);

}  // namespace gradflip
