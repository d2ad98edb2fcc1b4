// What a kernel file needs of CUDA beyond the language: the one way to launch, and the two ways to
// get shared memory. The emulator of tests/simt brings a header of the same name, so that the same
// kernel file runs on the CPU under test; its rules for kernel files are in docs/emulator.md.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

#include "kernels/cuda/check.h"

// A static shared array: GRADFLIP_SHARED(float, tile, [64][65]);
#define GRADFLIP_SHARED(T, name, extents) __shared__ T name extents

namespace gradflip {

// The shared memory whose size launch() was given, aligned to 128 bytes.
template <typename T>
__device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char gradflip_dynamic_shared[];
  return reinterpret_cast<T*>(gradflip_dynamic_shared);
}

// Enqueues kernel(args...) on the stream. Throws CudaError if it cannot start. Neither grid nor
// block may be empty.
template <typename... Params, typename... Args>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Args&&... args) {
  constexpr std::size_t kWithoutAsking = 48 * 1024;  // more has to be asked for, kernel by kernel
  if (shared_bytes > kWithoutAsking) {
    GRADFLIP_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                             static_cast<int>(shared_bytes)));
  }
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  GRADFLIP_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...));
}

}  // namespace gradflip
