// Which class a classifier says a row is.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

// classes[i] = the class of row i's largest logit, of equal ones the first; -1 where the row holds
// a NaN and says nothing. logits: (N, num_classes) f32; classes: (N), overwritten. N may be 0.
void arg_max_rows(Cpu ctx, std::int64_t N, std::int64_t num_classes, const float* logits,
                  std::int32_t* classes);
void arg_max_rows(Cuda ctx, std::int64_t N, std::int64_t num_classes, const float* logits,
                  std::int32_t* classes);

}  // namespace gradflip
