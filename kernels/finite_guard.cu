// The first NaN or infinity of an array, noted once, without scratch memory, atomics or a second
// launch.
//
// Decomposition  a block tests a run of 2048 neighbouring values. One that finds none is done: it
//                has read its run and nothing else, and nearly every step is like that. One that
//                finds some tests everything before its run, and stops at the first offender there,
//                which another block will report. So exactly one block finds its own offender to be
//                the first of all, and it alone reads and writes the guard.
// Cost           memory-bound, 4 bytes per value. When something did break: where everything is NaN
//                a block looks at one run more; the worst case, a lone offender at the very end, is
//                one more pass by a single block.
// Numerics       the index is exact and the same in every run.
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/finite_guard.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr unsigned kThreads = 256;
// Eight independent loads a thread keep enough bytes in flight; 200,000 values are 98 blocks.
constexpr unsigned kPerThread = 8;
constexpr unsigned kRun = kThreads * kPerThread;
constexpr unsigned kNone = kRun;

// Where the thread's first value that is not finite stands in the run at `values`.
__device__ __forceinline__ unsigned own_offender(std::int64_t size, const float* values) {
  unsigned first = kNone;
#pragma unroll
  for (unsigned k = 0; k < kPerThread; ++k) {
    const unsigned i = k * kThreads + threadIdx.x;
    const float value = i < size ? values[i] : 0.0F;
    // x - x is 0 for every finite x, and a NaN for all others.
    if (!(value - value == 0.0F) && first == kNone) first = i;
  }
  return first;
}

// Whole block.
__device__ bool all_finite(std::int64_t size, const float* values) {
  for (std::int64_t begin = 0; begin < size; begin += kRun) {
    if (__syncthreads_or(own_offender(size - begin, values + begin) != kNone)) return false;
  }
  return true;
}

__global__ void check_finite_kernel(std::int64_t size, const float* __restrict__ values,
                                    std::int32_t quantity, const std::int64_t* step,
                                    FiniteGuard* guard) {
  const std::int64_t begin = std::int64_t{blockIdx.x} * kRun;
  const unsigned own = own_offender(size - begin, values + begin);
  if (!__syncthreads_or(own != kNone)) return;
  if (!all_finite(begin, values)) return;
  const unsigned first = block_reduce<kThreads>(own, Minimum{});
  if (threadIdx.x != 0 || guard->frozen != 0) return;
  guard->frozen = 1;
  guard->quantity = quantity;
  guard->index = begin + first;
  guard->step = *step;
}

// One thread.
__global__ void check_reported_kernel(StepState* state, std::int32_t quantity,
                                      const std::int64_t* step, FiniteGuard* guard) {
  const std::uint64_t index = state->first_non_finite;
  if (index == StepState::kAllFinite) return;
  state->first_non_finite = StepState::kAllFinite;
  if (guard->frozen != 0) return;
  guard->frozen = 1;
  guard->quantity = quantity;
  guard->index = static_cast<std::int64_t>(index);
  guard->step = *step;
}

}  // namespace

void check_finite(Cuda ctx, std::int64_t size, const float* values, std::int32_t quantity,
                  const std::int64_t* step, FiniteGuard* guard) {
  GRADFLIP_REQUIRE(size >= 0, message("check_finite: size is ", size, ", must be >= 0"));
  if (size == 0) return;
  const dim3 grid(static_cast<unsigned>((size + kRun - 1) / kRun));
  launch(check_finite_kernel, grid, kThreads, 0, ctx, size, values, quantity, step, guard);
}

void check_reported(Cuda ctx, StepState* state, std::int32_t quantity, const std::int64_t* step,
                    FiniteGuard* guard) {
  launch(check_reported_kernel, 1, 1, 0, ctx, state, quantity, step, guard);
}

}  // namespace gradflip
