// Device side of update_kinds.h.
#pragma once

#include <cstdint>

#include "kernels/cuda/simt.h"
#include "kernels/update_kinds.h"

namespace gradflip {

// Of the i-th T of a flat block: float, or float4, which never leaves its run.
template <typename T>
__device__ __forceinline__ UpdateKind kind_at(const UpdateKind* kinds, std::int64_t i) {
  constexpr std::int64_t kPerRun = kUpdateRun * sizeof(float) / sizeof(T);
  return kinds == nullptr ? UpdateKind::kWithDecay : kinds[i / kPerRun];
}

}  // namespace gradflip
