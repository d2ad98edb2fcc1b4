// Counters in the context's memory: a captured step counts itself.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

// *step += 1
void advance_step(Cpu ctx, std::int64_t* step);
void advance_step(Cuda ctx, std::int64_t* step);

// *updates += 1, unless *frozen is not zero (`frozen` may be null): a step that is frozen counts as
// a step, but it updates nothing.
void count_update(Cpu ctx, const std::int32_t* frozen, std::int64_t* updates);
void count_update(Cuda ctx, const std::int32_t* frozen, std::int64_t* updates);

}  // namespace gradflip
