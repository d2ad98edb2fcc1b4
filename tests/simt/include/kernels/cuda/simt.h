// The emulated twin of kernels/cuda/simt.h: launching, and the two ways to get shared memory.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

#include "kernels/context.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/device_scope.h"
#include "kernels/cuda/dynamic_shared_limit.h"
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

// Enqueues kernel(args...) on a stream of the current device. Throws CudaError if it cannot start,
// and simt::Error if it is wrong; neither grid nor block may be empty.
template <typename... Params, typename... Args>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Args&&... args) {
  if (shared_bytes > 0) raise_dynamic_shared_limit(reinterpret_cast<const void*>(kernel));
  GRADFLIP_CUDA_CHECK(
      ::simt::launch(kernel, grid, block, shared_bytes, stream, static_cast<Params>(args)...));
}

// The same on a context, whichever device is the thread's current one.
template <typename... Params, typename... Args>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, std::size_t shared_bytes,
            const Cuda& ctx, Args&&... args) {
  const DeviceScope scope(ctx);
  launch(kernel, grid, block, shared_bytes, ctx.stream, std::forward<Args>(args)...);
}

}  // namespace gradflip
