// The devices, all alike: the limits of an H100, as far as a program can ask for them, or what
// config() says.
#include <algorithm>
#include <array>
#include <cstring>

#include "tests/simt/config.h"
#include "tests/simt/device_memory.h"
#include "tests/simt/runtime.h"

namespace {

using simt::api;
using simt::Runtime;

using simt::current_device;

constexpr int kSharedDefault = static_cast<int>(simt::kSharedWithoutAsking);
constexpr int kRegisters = 65536;
constexpr int kL2Bytes = 50 * 1024 * 1024;

bool is_device(int device) { return device >= 0 && device < simt::config().devices; }

int shared_opt_in() { return static_cast<int>(simt::config().block_shared_bytes); }

struct Attribute {
  cudaDeviceAttr attribute;
  int value;
};

constexpr Attribute kAttributes[] = {
    {cudaDevAttrMaxThreadsPerBlock, 1024},
    {cudaDevAttrMaxBlockDimX, 1024},
    {cudaDevAttrMaxBlockDimY, 1024},
    {cudaDevAttrMaxBlockDimZ, 64},
    {cudaDevAttrMaxGridDimX, 0x7fffffff},
    {cudaDevAttrMaxGridDimY, 65535},
    {cudaDevAttrMaxGridDimZ, 65535},
    {cudaDevAttrMaxSharedMemoryPerBlock, kSharedDefault},
    {cudaDevAttrWarpSize, 32},
    {cudaDevAttrMaxRegistersPerBlock, kRegisters},
    {cudaDevAttrL2CacheSize, kL2Bytes},
    {cudaDevAttrMaxThreadsPerMultiProcessor, 2048},
    {cudaDevAttrComputeCapabilityMajor, 9},
    {cudaDevAttrComputeCapabilityMinor, 0},
    {cudaDevAttrMaxSharedMemoryPerMultiprocessor, 228 * 1024},
    {cudaDevAttrMaxRegistersPerMultiprocessor, kRegisters},
};

cudaDeviceProp device_properties() {
  cudaDeviceProp p{};
  const char name[] = "emulated GPU";
  static_assert(sizeof name <= sizeof p.name);
  std::memcpy(p.name, name, sizeof name);
  p.totalGlobalMem = simt::DeviceMemory::kTotalBytes;
  p.sharedMemPerBlock = kSharedDefault;
  p.regsPerBlock = kRegisters;
  p.warpSize = 32;
  p.maxThreadsPerBlock = 1024;
  std::ranges::copy(std::array{1024, 1024, 64}, p.maxThreadsDim);
  std::ranges::copy(std::array{0x7fffffff, 65535, 65535}, p.maxGridSize);
  p.major = 9;
  p.minor = 0;
  p.multiProcessorCount = simt::config().multiprocessors;
  p.concurrentKernels = 1;
  p.unifiedAddressing = 1;
  p.memoryBusWidth = 5120;
  p.l2CacheSize = kL2Bytes;
  p.maxThreadsPerMultiProcessor = 2048;
  p.sharedMemPerMultiprocessor = 228 * 1024;
  p.regsPerMultiprocessor = kRegisters;
  p.sharedMemPerBlockOptin = static_cast<std::size_t>(shared_opt_in());
  p.reservedSharedMemPerBlock = 1024;
  p.maxBlocksPerMultiProcessor = 32;
  return p;
}

}  // namespace

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  return api([&](Runtime&) {
    *count = simt::config().devices;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return api([&](Runtime&) {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    current_device() = device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return api([&](Runtime&) {
    *device = current_device();
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return api([&](Runtime&) {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    *properties = device_properties();
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return api([&](Runtime&) {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    if (attribute == cudaDevAttrMaxSharedMemoryPerBlockOptin) {
      *value = shared_opt_in();
      return cudaSuccess;
    }
    if (attribute == cudaDevAttrMultiProcessorCount) {
      *value = simt::config().multiprocessors;
      return cudaSuccess;
    }
    for (const Attribute& known : kAttributes) {
      if (known.attribute != attribute) continue;
      *value = known.value;
      return cudaSuccess;
    }
    return cudaErrorInvalidValue;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return api([](Runtime& r) {
    if (const cudaError_t error = r.may_synchronize_device(); error != cudaSuccess) return error;
    r.run_all();
    return cudaSuccess;
  });
}

// The one call that ends the error state of a device.
cudaError_t cudaDeviceReset() {
  Runtime& r = simt::runtime();
  const std::lock_guard lock(r.mutex);
  r.reset();
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

// Of the current device.
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return api([&](Runtime& r) {
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    Runtime::Kernel& known = r.kernel(current_device(), kernel);
    switch (attribute) {
      case cudaFuncAttributePreferredSharedMemoryCarveout:
        if (value < -1 || value > 100) return cudaErrorInvalidValue;
        known.carveout = value;
        return cudaSuccess;
      case cudaFuncAttributeMaxDynamicSharedMemorySize:
        // Static variables count against what the device has.
        if (value < 0 || value + static_cast<int>(known.static_bytes) > shared_opt_in()) {
          return cudaErrorInvalidValue;
        }
        known.dynamic_limit = static_cast<std::size_t>(value);
        return cudaSuccess;
    }
    return cudaErrorInvalidValue;
  });
}

// Registers are the compiler's business: 0. So is static memory: until a launch has shown it, 0.
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  return api([&](Runtime& r) {
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    const Runtime::Kernel& known = r.kernel(current_device(), kernel);
    *attributes = {};
    attributes->sharedSizeBytes = known.static_bytes;
    attributes->maxThreadsPerBlock = 1024;
    attributes->ptxVersion = 90;
    attributes->binaryVersion = 90;
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(
        known.dynamic_limit.value_or(simt::kSharedWithoutAsking - known.static_bytes));
    attributes->preferredShmemCarveout = known.carveout;
    return cudaSuccess;
  });
}

}  // extern "C"
