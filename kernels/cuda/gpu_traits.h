// What CUDA says of a GPU, as kernels want to know it.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/context.h"
#include "kernels/cuda/check.h"

namespace gradflip {

// Throws CudaError if there is no such device.
inline GpuTraits gpu_traits(int device) {
  const auto ask = [device](cudaDeviceAttr attribute) {
    int value = 0;
    GRADFLIP_CUDA_CHECK(cudaDeviceGetAttribute(&value, attribute, device));
    return value;
  };
  return {.device = device,
          .capability =
              10 * ask(cudaDevAttrComputeCapabilityMajor) + ask(cudaDevAttrComputeCapabilityMinor),
          .multiprocessors = ask(cudaDevAttrMultiProcessorCount),
          .block_shared_bytes = ask(cudaDevAttrMaxSharedMemoryPerBlockOptin)};
}

}  // namespace gradflip
