// Turns failures of the CUDA runtime into exceptions.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/device_error.h"
#include "kernels/require.h"

namespace gradflip {

// A call of the CUDA runtime failed: a lost device, an invalid launch.
struct CudaError : DeviceError {
  using DeviceError::DeviceError;
};

inline void throw_if_failed(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return;
  const std::string what = message(call, " at ", file, ":", line, ": ", cudaGetErrorName(error),
                                   " (", cudaGetErrorString(error), ")");
  if (error == cudaErrorMemoryAllocation) throw DeviceMemoryError("out of device memory: " + what);
  throw CudaError(what);
}

}  // namespace gradflip

#define GRADFLIP_CUDA_CHECK(call) ::gradflip::throw_if_failed((call), #call, __FILE__, __LINE__)
