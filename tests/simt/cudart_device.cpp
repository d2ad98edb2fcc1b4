// The one device: the limits of an H100, as far as a program can ask for them.
#include <algorithm>
#include <array>
#include <cstring>

#include "tests/simt/config.h"
#include "tests/simt/device_memory.h"
#include "tests/simt/runtime.h"

namespace {

using simt::api;
using simt::Runtime;

constexpr int kSharedDefault = 48 * 1024;
constexpr int kRegisters = 65536;
constexpr int kL2Bytes = 50 * 1024 * 1024;

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
    {cudaDevAttrMultiProcessorCount, 132},
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
  p.multiProcessorCount = 132;
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
    *count = 1;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return api([&](Runtime&) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; });
}

cudaError_t cudaGetDevice(int* device) {
  return api([&](Runtime&) {
    *device = 0;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return api([&](Runtime&) {
    if (device != 0) return cudaErrorInvalidDevice;
    *properties = device_properties();
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return api([&](Runtime&) {
    if (device != 0) return cudaErrorInvalidDevice;
    if (attribute == cudaDevAttrMaxSharedMemoryPerBlockOptin) {
      *value = shared_opt_in();
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

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return api([&](Runtime& r) {
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    if (value < 0 && attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
      return cudaErrorInvalidValue;
    }
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;  // a hint
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value > shared_opt_in()) {
      return cudaErrorInvalidValue;
    }
    r.dynamic_limits[kernel] = value;
    return cudaSuccess;
  });
}

// Registers and static memory are the compiler's business: 0.
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  return api([&](Runtime& r) {
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    *attributes = {};
    attributes->maxThreadsPerBlock = 1024;
    attributes->ptxVersion = 90;
    attributes->binaryVersion = 90;
    const auto asked = r.dynamic_limits.find(kernel);
    attributes->maxDynamicSharedSizeBytes =
        asked == r.dynamic_limits.end() ? kSharedDefault : asked->second;
    return cudaSuccess;
  });
}

}  // extern "C"
