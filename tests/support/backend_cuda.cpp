#include <cuda_runtime_api.h>

#include "kernels/cuda/check.h"
#include "kernels/cuda/gpu_traits.h"
#include "tests/support/backend.h"

namespace gradflip {

std::string Backend<Cuda>::unavailable() {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess) return cudaGetErrorString(error);
  return devices > 0 ? "" : "no GPU here";
}

// A stream that can be recorded, unlike the default stream. The copies below are on that one, and
// wait for this.
Cuda Backend<Cuda>::context() {
  static const GpuTraits gpu = gpu_traits(0);
  static const cudaStream_t stream = [] {
    cudaStream_t created = nullptr;
    GRADFLIP_CUDA_CHECK(cudaStreamCreate(&created));
    return created;
  }();
  return {stream, &gpu};
}

std::byte* Backend<Cuda>::allocate(std::size_t bytes) {
  void* memory = nullptr;
  GRADFLIP_CUDA_CHECK(cudaMalloc(&memory, bytes));
  return static_cast<std::byte*>(memory);
}

// A test's destructor must not throw; whatever is wrong, the next call reports it.
void Backend<Cuda>::release(std::byte* memory) { (void)cudaFree(memory); }

void Backend<Cuda>::copy_from_host(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) GRADFLIP_CUDA_CHECK(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice));
}

void Backend<Cuda>::copy_to_host(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) GRADFLIP_CUDA_CHECK(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost));
}

}  // namespace gradflip
