// Notes a step's scalars, such as its losses, in a ring in the context's memory, so that a captured
// step keeps its own record and the host reads many steps at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/context.h"

namespace gradflip {

inline constexpr std::size_t kMaxRecordedScalars = 8;

// ring[*step % capacity, i] = *scalars[i]
//
// scalars: at most kMaxRecordedScalars pointers; the span itself is read before the call returns.
// ring: (capacity, scalars.size()) f32, capacity > 0; the other rows keep their contents. What the
// scalars, step and ring point to is in the context's memory; *step >= 0. No scalars may be given.
void record_scalars(Cpu ctx, std::span<const float* const> scalars, const std::int64_t* step,
                    std::int64_t capacity, float* ring);
void record_scalars(Cuda ctx, std::span<const float* const> scalars, const std::int64_t* step,
                    std::int64_t capacity, float* ring);

// Throws unless so many scalars fit a record and the ring has a row.
void require_valid_record(std::size_t scalars, std::int64_t capacity);

}  // namespace gradflip
