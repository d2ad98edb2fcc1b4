// Device side of step_state.h.
#pragma once

#include <cstdint>

#include "kernels/cuda/simt.h"
#include "kernels/step_state.h"

namespace gradflip {

// Notes a gradient just computed for `*at` if it is not finite.
__device__ __forceinline__ void watch_gradient(const GradientWatch& watch, const float* at,
                                               float gradient) {
  // x - x is 0 for every finite x, and a NaN for all others.
  if (watch.state == nullptr || gradient - gradient == 0.0F) return;
  static_assert(sizeof(unsigned long long) == sizeof(std::uint64_t));
  atomicMin(reinterpret_cast<unsigned long long*>(&watch.state->first_non_finite),
            static_cast<unsigned long long>(at - watch.gradients));
}

// True in all threads of the last of `blocks` blocks that get here with this ticket; what the other
// blocks wrote before is then visible (read it with __ldcg). Leaves the ticket at zero. The whole
// block has to call it; `last` is one word of its shared memory.
__device__ __forceinline__ bool is_last_block(std::uint32_t* ticket, unsigned blocks,
                                              unsigned* last) {
  __syncthreads();  // the whole block has stored, and read `last` of a ticket before
  if (threadIdx.x == 0) {
    __threadfence();  // after the barrier: publishes what the whole block stored
    *last = atomicInc(ticket, blocks - 1) == blocks - 1 ? 1U : 0U;
    __threadfence();
  }
  __syncthreads();  // `last` is for all threads
  return *last != 0U;
}

}  // namespace gradflip
