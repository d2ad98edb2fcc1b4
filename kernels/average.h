// The exponential moving average of weights, as the teacher of Tarvainen & Valpola, "Mean teachers
// are better role models" (NIPS 2017), has them.
//
//   averaged = decay * averaged + (1 - decay) * weight
// A decay of 0 copies the weights.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/update_kinds.h"
#include "kernels/write.h"

namespace gradflip {

// All pointers are into the context's memory.
struct AverageUpdate {
  std::int64_t size = 0;  // of weight and averaged; may be 0
  Scale decay = {};       // in [0, 1]
  // Where *frozen is not zero nothing is written; may be null.
  const std::int32_t* frozen = nullptr;
  const UpdateKind* kinds = nullptr;  // all but kNone are averaged; null: everything
  const float* weight = nullptr;
  float* averaged = nullptr;  // updated in place; no alias
};

void average(Cpu ctx, const AverageUpdate& update);
void average(Cuda ctx, const AverageUpdate& update);

}  // namespace gradflip
