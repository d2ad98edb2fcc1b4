#include <cuda_runtime_api.h>

#include "kernels/cuda/check.h"
#include "kernels/cuda/device_scope.h"
#include "runtime/memory_backends.h"

namespace gradflip {

std::byte* allocate(Cuda ctx, std::int64_t bytes) {
  const DeviceScope scope(ctx);
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, static_cast<std::size_t>(bytes));
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();  // told by the exception; the next launch must not find it
    throw DeviceMemoryError(
        message("out of device memory: the GPU has no ", bytes >> 20U,
                " MiB left; use a smaller batch, free its memory, or choose cpu"));
  }
  GRADFLIP_CUDA_CHECK(error);
  GRADFLIP_CUDA_CHECK(cudaMemsetAsync(memory, 0, static_cast<std::size_t>(bytes), ctx.stream));
  return static_cast<std::byte*>(memory);
}

// Waits for the work that may use the memory, on the device that has it: the address says which. A
// failure here has another cause, which the next call reports.
void release(Cuda /*ctx*/, std::byte* memory) noexcept { (void)cudaFree(memory); }

void copy_within(Cuda ctx, void* to, const void* from, std::int64_t bytes) {
  GRADFLIP_CUDA_CHECK(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes),
                                      cudaMemcpyDeviceToDevice, ctx.stream));
}

void copy_from_host(Cuda ctx, void* to, const void* from, std::int64_t bytes) {
  GRADFLIP_CUDA_CHECK(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes),
                                      cudaMemcpyHostToDevice, ctx.stream));
  GRADFLIP_CUDA_CHECK(cudaStreamSynchronize(ctx.stream));
}

void copy_to_host(Cuda ctx, void* to, const void* from, std::int64_t bytes) {
  GRADFLIP_CUDA_CHECK(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes),
                                      cudaMemcpyDeviceToHost, ctx.stream));
  GRADFLIP_CUDA_CHECK(cudaStreamSynchronize(ctx.stream));
}

}  // namespace gradflip
