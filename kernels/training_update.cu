// The end of a training step in one launch.
//
// Decomposition  sgd's: four elements per thread where the arrays allow it, grid-stride. Every
//                thread finds out by itself whether the step is frozen, from the guard as the last
//                step left it, the losses and the note on the gradients: a handful of words that
//                come from L2 while the thread's elements are on their way. The last block to
//                finish, when nothing reads them any more, records the scalars and changes guard,
//                note and step.
// Cost           memory-bound: 20 bytes per element; 205,891 parameters are 4.1 MB, 1 us at the
//                4.3 TB/s of an H200, less than the 2.5 us from launch to launch (on paper).
// Issue slots    no bound: a thread has one vector, and waits for memory.
// Occupancy      sm_90a (ptxas), 256 threads: 43 registers, 5 blocks; 202 blocks for the paper's
//                network, one wave.
// Numerics       those of sgd_update.cuh: the bits of the kernels that this one stands for.
#include <algorithm>

#include "kernels/cuda/sgd_update.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/step_state.cuh"
#include "kernels/cuda/vec4.cuh"
#include "kernels/training_update.h"

namespace gradflip {
namespace {

struct Scalars {
  int num_losses, num_recorded;
  const float* losses[kMaxGuardedLosses];
  const float* recorded[kMaxRecordedScalars];
};

struct Shared {
  std::int64_t capacity;
  float* ring;
  std::int64_t* step;
  FiniteGuard* guard;
  StepState* state;
};

// The first quantity that is not finite, or a negative number.
__device__ __forceinline__ int offender(const Scalars& scalars, std::uint64_t note) {
  int quantity = note == StepState::kAllFinite ? -1 : scalars.num_losses;
  // Every index is a constant once unrolled: arguments indexed at run time would be copied to local
  // memory first.
#pragma unroll
  for (int i = static_cast<int>(kMaxGuardedLosses) - 1; i >= 0; --i) {
    if (i >= scalars.num_losses) continue;
    const float loss = *scalars.losses[i];
    if (!(loss - loss == 0.0F)) quantity = i;  // x - x is 0 for every finite x
  }
  return quantity;
}

// T is float or float4. Reads before it asks, so that both are under way together.
template <typename T>
__device__ __forceinline__ void update_range(std::int64_t begin, std::int64_t end,
                                             const SgdFactors& factors, bool frozen,
                                             const T* __restrict__ gradient, T* __restrict__ weight,
                                             T* __restrict__ velocity) {
  for (std::int64_t i = begin + global_thread(); i < end; i += global_threads()) {
    T w = weight[i];
    T v = velocity[i];
    sgd_update(factors, factors.options.weight_decay, gradient[i], w, v);
    if (frozen) continue;
    weight[i] = w;
    velocity[i] = v;
  }
}

__device__ __forceinline__ void finish_step(const Scalars& scalars, const Shared& shared,
                                            int quantity) {
  const std::int64_t step = *shared.step;
  float* row = shared.ring + step % shared.capacity * scalars.num_recorded;
#pragma unroll
  for (int i = 0; i < static_cast<int>(kMaxRecordedScalars); ++i) {
    if (i < scalars.num_recorded) row[i] = *scalars.recorded[i];
  }
  if (quantity >= 0 && shared.guard->frozen == 0) {
    const bool is_loss = quantity < scalars.num_losses;
    shared.guard->frozen = 1;
    shared.guard->quantity = quantity;
    shared.guard->index = is_loss ? 0 : static_cast<std::int64_t>(shared.state->first_non_finite);
    shared.guard->step = step;
  }
  shared.state->first_non_finite = StepState::kAllFinite;
  *shared.step = step + 1;
}

__global__ void training_update_kernel(Elements elements, SgdOptions options, Scalars scalars,
                                       Shared shared, const float* learning_rate,
                                       const float* gradient, float* weight, float* velocity) {
  GRADFLIP_SHARED(unsigned, last, [1]);
  const SgdFactors factors{{options.momentum, options.weight_decay, false}, *learning_rate};
  const int quantity = offender(scalars, shared.state->first_non_finite);
  const bool frozen = shared.guard->frozen != 0 || quantity >= 0;
  update_range(0, elements.vectors, factors, frozen, reinterpret_cast<const float4*>(gradient),
               reinterpret_cast<float4*>(weight), reinterpret_cast<float4*>(velocity));
  update_range(4 * elements.vectors, elements.size, factors, frozen, gradient, weight, velocity);
  if (!is_last_block(shared.state->tickets, gridDim.x, last)) return;
  if (threadIdx.x == 0) finish_step(scalars, shared, quantity);
}

}  // namespace

void training_update(Cuda ctx, const TrainingUpdate& update) {
  require_valid(update);
  Scalars scalars{
      static_cast<int>(update.losses.size()), static_cast<int>(update.recorded.size()), {}, {}};
  std::copy(update.losses.begin(), update.losses.end(), scalars.losses);
  std::copy(update.recorded.begin(), update.recorded.end(), scalars.recorded);
  const Shared shared{update.capacity, update.ring, update.step, update.guard, update.state};
  const Elements elements =
      elements_of(update.size, update.gradient, update.weight, update.velocity);
  launch(training_update_kernel, update.size > 0 ? elementwise_grid(ctx, elements) : dim3(1),
         kElementwiseBlock, 0, ctx, elements, update.options, scalars, shared, update.learning_rate,
         update.gradient, update.weight, update.velocity);
}

}  // namespace gradflip
