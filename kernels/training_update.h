// The end of a training step: what record_scalars, check_finite for every loss and for the
// gradients, sgd and advance_step do one after the other. On CUDA it is one launch, which does not
// look at the gradients to learn whether they are finite: the kernels that wrote them noted it in
// the step's state (step_state.h).
//
//   ring[*step % capacity, i] = *recorded[i]
//   if the guard is not frozen yet and losses[0], losses[1], ... or a gradient is not finite:
//     freezes it, with the quantity (a loss's place; losses.size() for the gradients), the index of
//     the first offender and *step, in that order of precedence
//   unless the guard is frozen now: velocity and weight as sgd.h has them
//   *step += 1, and the state's note is taken back
// A frozen step, too, is recorded and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/context.h"
#include "kernels/finite_guard.h"
#include "kernels/record.h"
#include "kernels/sgd.h"
#include "kernels/step_state.h"

namespace gradflip {

inline constexpr std::size_t kMaxGuardedLosses = 4;

// All pointers are into the context's memory; the spans themselves are read before the call
// returns.
struct TrainingUpdate {
  SgdOptions options = {};  // without Nesterov's momentum
  std::int64_t size = 0;    // of gradient, weight and velocity, which do not overlap; may be 0
  const float* learning_rate = nullptr;
  const float* gradient = nullptr;
  float* weight = nullptr;
  float* velocity = nullptr;
  std::span<const float* const> losses = {};    // at most kMaxGuardedLosses
  std::span<const float* const> recorded = {};  // at most kMaxRecordedScalars; may be none
  std::int64_t capacity = 1;                    // > 0
  float* ring = nullptr;  // (capacity, recorded.size()); null where none is recorded
  std::int64_t* step = nullptr;
  FiniteGuard* guard = nullptr;
  StepState* state = nullptr;  // its note counts from `gradient`
};

// Throws std::invalid_argument unless the sizes make sense.
void require_valid(const TrainingUpdate& update);

void training_update(Cpu ctx, const TrainingUpdate& update);
void training_update(Cuda ctx, const TrainingUpdate& update);

}  // namespace gradflip
