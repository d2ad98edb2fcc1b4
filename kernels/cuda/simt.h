// What a kernel file needs of CUDA beyond the language: the one way to launch, and the two ways to
// get shared memory. The emulator of tests/simt brings a header of the same name, so that the same
// kernel file runs on the CPU under test; its rules for kernel files are in docs/emulator.md.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

#include "kernels/context.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/device_scope.h"
#include "kernels/cuda/dynamic_shared_limit.h"

// A static shared array: GRADFLIP_SHARED(float, tile, [64][65]);
#define GRADFLIP_SHARED(T, name, extents) __shared__ T name extents

namespace gradflip {

// The shared memory whose size launch() was given, aligned to 128 bytes.
template <typename T>
__device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char gradflip_dynamic_shared[];
  return reinterpret_cast<T*>(gradflip_dynamic_shared);
}

// Enqueues kernel(args...) on a stream of the current device. Throws CudaError if it cannot start.
// Neither grid nor block may be empty.
template <typename... Params, typename... Args>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Args&&... args) {
  if (shared_bytes > 0) raise_dynamic_shared_limit(reinterpret_cast<const void*>(kernel));
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  GRADFLIP_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...));
}

// The same on a context, whichever device is the thread's current one.
template <typename... Params, typename... Args>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, std::size_t shared_bytes,
            const Cuda& ctx, Args&&... args) {
  const DeviceScope scope(ctx);
  launch(kernel, grid, block, shared_bytes, ctx.stream, std::forward<Args>(args)...);
}

}  // namespace gradflip
