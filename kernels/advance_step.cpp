#include "kernels/advance_step.h"

namespace gradflip {

void advance_step(Cpu /*ctx*/, std::int64_t* step) { ++*step; }

void count_update(Cpu /*ctx*/, const std::int32_t* frozen, std::int64_t* updates) {
  if (frozen == nullptr || *frozen == 0) ++*updates;
}

}  // namespace gradflip
