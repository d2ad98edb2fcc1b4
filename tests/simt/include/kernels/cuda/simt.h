// The emulated twin of kernels/cuda/simt.h: launching, and the two ways to get shared memory.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

#include "kernels/cuda/check.h"
#include "tests/simt/device.h"
#include "tests/simt/launch.h"

// A static shared array: GRADFLIP_SHARED(float, tile, [64][65]);
// One per block, from an arena that is checked; the key is what tells arrays apart.
#define GRADFLIP_SHARED(T, name, extents)  \
  static char name##_key;                  \
  auto& name = *static_cast<T(*) extents>( \
      ::simt::shared_variable(&name##_key, sizeof(T extents), alignof(T), #name))

namespace gradflip {

// The shared memory whose size launch() was given, aligned to 128 bytes.
template <typename T>
__forceinline__ T* dynamic_shared() {
  return static_cast<T*>(::simt::dynamic_shared());
}

// Enqueues kernel(args...) on the stream. Throws CudaError if it cannot start, and simt::Error if
// it is wrong; neither grid nor block may be empty.
template <typename... Params, typename... Args>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Args&&... args) {
  GRADFLIP_CUDA_CHECK(
      ::simt::launch(kernel, grid, block, shared_bytes, stream, static_cast<Params>(args)...));
}

}  // namespace gradflip
