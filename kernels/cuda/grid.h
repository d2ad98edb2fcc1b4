// The shape of elementwise launches: one element per thread, and a loop over the grid for arrays
// larger than that.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/context.h"
#include "kernels/cuda/simt.h"

namespace gradflip {

inline constexpr unsigned kElementwiseBlock = 256;

// size > 0.
inline dim3 elementwise_grid(const Cuda& ctx, std::int64_t size) {
  constexpr std::int64_t kFull = 8;  // blocks that fill a multiprocessor; more would only queue up
  const std::int64_t blocks = (size + kElementwiseBlock - 1) / kElementwiseBlock;
  return dim3(static_cast<unsigned>(std::min(blocks, kFull * ctx.gpu->multiprocessors)));
}

__device__ __forceinline__ std::int64_t global_thread() {
  return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ std::int64_t global_threads() {
  return std::int64_t{gridDim.x} * blockDim.x;
}

}  // namespace gradflip
