// Notes the first step on which something stopped being finite, and which quantity, in the
// context's memory.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/step_state.h"

namespace gradflip {

// `frozen` comes first, so that a pointer to the guard's memory serves as sgd's `frozen`.
struct FiniteGuard {
  std::int32_t frozen = 0;     // 1 from the first non-finite step on
  std::int32_t quantity = -1;  // whose check failed
  std::int64_t index = -1;     // the first offending element of that quantity
  std::int64_t step = -1;      // the step on which it happened
};

// If the guard is not frozen yet and values[0, size) holds a NaN or an infinity, freezes it with
// this quantity, the index of the first such element and *step. size may be 0.
void check_finite(Cpu ctx, std::int64_t size, const float* values, std::int32_t quantity,
                  const std::int64_t* step, FiniteGuard* guard);
void check_finite(Cuda ctx, std::int64_t size, const float* values, std::int32_t quantity,
                  const std::int64_t* step, FiniteGuard* guard);

// The same for gradients that were reported as they were written (step_state.h): `quantity` failed
// if the state has a note, at the index that the note says. Takes the note back.
void check_reported(Cpu ctx, StepState* state, std::int32_t quantity, const std::int64_t* step,
                    FiniteGuard* guard);
void check_reported(Cuda ctx, StepState* state, std::int32_t quantity, const std::int64_t* step,
                    FiniteGuard* guard);

}  // namespace gradflip
