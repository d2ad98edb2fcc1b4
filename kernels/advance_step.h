// *step += 1, in the context's memory: a captured step counts itself.
#pragma once

#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

void advance_step(Cpu ctx, std::int64_t* step);
void advance_step(Cuda ctx, std::int64_t* step);

}  // namespace gradflip
