// One thread: the cost is the launch.
#include "kernels/advance_step.h"
#include "kernels/cuda/simt.h"

namespace gradflip {
namespace {

__global__ void advance_step_kernel(std::int64_t* step) { ++*step; }

__global__ void count_update_kernel(const std::int32_t* frozen, std::int64_t* updates) {
  if (frozen == nullptr || *frozen == 0) ++*updates;
}

}  // namespace

void advance_step(Cuda ctx, std::int64_t* step) { launch(advance_step_kernel, 1, 1, 0, ctx, step); }

void count_update(Cuda ctx, const std::int32_t* frozen, std::int64_t* updates) {
  launch(count_update_kernel, 1, 1, 0, ctx, frozen, updates);
}

}  // namespace gradflip
