// How much dynamic shared memory a kernel may have. Without asking, a block gets 48 KiB, its static
// arrays included; more has to be asked for, kernel by kernel and device by device, and counts
// against what the device has for a block, again with the static arrays.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "kernels/cuda/check.h"

namespace gradflip {

// Gives the kernel all that the current device has for a block, unless it has that already. So two
// sizes of launch do not lower each other's limit, and two threads may do it at once: both ask for
// the same. What was asked for is the runtime's to remember; there is no state here. Steps that are
// recorded ask once, while they are recorded.
//
// The multiprocessor's memory goes to shared memory as far as it can: kernels with dynamic shared
// memory read little through L1, and the driver's own choice need not have room for as many blocks
// as the registers allow (two of 95 KB each: conv_block_backward_data_resident.cu). Others keep the
// driver's choice: taking L1 from all of them cost 1.6 % of a step (an H200, benchmarks/README.md).
inline void raise_dynamic_shared_limit(const void* kernel) {
  int device = 0;
  int of_block = 0;
  cudaFuncAttributes attributes{};
  GRADFLIP_CUDA_CHECK(cudaGetDevice(&device));
  GRADFLIP_CUDA_CHECK(
      cudaDeviceGetAttribute(&of_block, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  GRADFLIP_CUDA_CHECK(cudaFuncGetAttributes(&attributes, kernel));
  const int most = of_block - static_cast<int>(attributes.sharedSizeBytes);
  if (attributes.maxDynamicSharedSizeBytes >= most) return;
  constexpr int kAllShared = 100;  // percent
  GRADFLIP_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, kAllShared));
  GRADFLIP_CUDA_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most));
}

}  // namespace gradflip
