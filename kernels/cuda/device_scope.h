// The current device of CUDA belongs to the calling thread, and new memory, launches and recordings
// go to it: not to the stream's. A scope makes a context's device the current one while it lives.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/context.h"
#include "kernels/cuda/check.h"

namespace gradflip {

class DeviceScope {
 public:
  // Where the device is the current one already this reads a variable of the thread, no more.
  explicit DeviceScope(const Cuda& ctx) {
    GRADFLIP_CUDA_CHECK(cudaGetDevice(&before_));
    changed_ = before_ != ctx.gpu->device;
    if (changed_) GRADFLIP_CUDA_CHECK(cudaSetDevice(ctx.gpu->device));
  }
  ~DeviceScope() {
    if (changed_) (void)cudaSetDevice(before_);
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

}  // namespace gradflip
