// Memory and copies of the runtime API.
#include <cstdlib>
#include <cstring>

#include "tests/simt/device_memory.h"
#include "tests/simt/observer.h"
#include "tests/simt/runtime.h"

namespace {

using simt::api;
using simt::device_memory;
using simt::Runtime;

bool on_device(const void* address) { return device_memory().buffer_of(address, 1) != nullptr; }

// One side of a copy: the kind says where it must be.
cudaError_t check_side(const void* address, std::size_t bytes, bool must_be_on_device) {
  if (address == nullptr || device_memory().was_freed(address)) return cudaErrorInvalidValue;
  if (on_device(address) != must_be_on_device) return cudaErrorInvalidMemcpyDirection;
  const bool fits = !must_be_on_device || device_memory().buffer_of(address, bytes) != nullptr;
  return fits ? cudaSuccess : cudaErrorInvalidValue;
}

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
  bool to_device;
  bool from_device;
};

// Fills in the sides of the copy, or says why there is none.
cudaError_t check_copy(Copy* copy, cudaMemcpyKind kind) {
  switch (kind) {
    case cudaMemcpyDefault:
      copy->to_device = on_device(copy->to);
      copy->from_device = on_device(copy->from);
      break;
    case cudaMemcpyHostToHost:
    case cudaMemcpyHostToDevice:
    case cudaMemcpyDeviceToHost:
    case cudaMemcpyDeviceToDevice:
      copy->to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
      copy->from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
      break;
    default:
      return cudaErrorInvalidMemcpyDirection;
  }
  const cudaError_t error = check_side(copy->to, copy->bytes, copy->to_device);
  return error != cudaSuccess ? error : check_side(copy->from, copy->bytes, copy->from_device);
}

// A buffer may have been freed between the call and now.
void require_alive(const void* address, std::size_t bytes, const char* what) {
  if (device_memory().buffer_of(address, bytes) != nullptr) return;
  throw simt::Error(std::string("simt: ") + what + " device memory that was freed meanwhile");
}

void initialized_by_host(void* address, std::size_t bytes) {
  if (simt::Observer* o = simt::observer()) o->host_write(address, bytes);
}

void run(const Copy& copy) {
  if (copy.to_device) require_alive(copy.to, copy.bytes, "a copy to");
  if (copy.from_device) require_alive(copy.from, copy.bytes, "a copy from");
  const simt::DeviceMemory::Access access;
  std::memcpy(copy.to, copy.from, copy.bytes);
  if (copy.to_device) initialized_by_host(copy.to, copy.bytes);
}

cudaError_t enqueue_copy(Runtime& r, Copy copy, cudaMemcpyKind kind, cudaStream_t stream) {
  if (r.find(stream) == nullptr) return cudaErrorInvalidResourceHandle;
  if (copy.bytes == 0) return cudaSuccess;
  if (const cudaError_t error = check_copy(&copy, kind); error != cudaSuccess) return error;
  return r.enqueue(stream, {cudaGraphNodeTypeMemcpy, [copy] { run(copy); }});
}

cudaError_t enqueue_memset(Runtime& r, void* memory, int value, std::size_t bytes,
                           cudaStream_t stream) {
  if (r.find(stream) == nullptr) return cudaErrorInvalidResourceHandle;
  if (bytes == 0) return cudaSuccess;
  if (check_side(memory, bytes, /*must_be_on_device=*/true) != cudaSuccess) {
    return cudaErrorInvalidValue;
  }
  return r.enqueue(stream, {cudaGraphNodeTypeMemset, [=] {
                              require_alive(memory, bytes, "a memset of");
                              const simt::DeviceMemory::Access access;
                              std::memset(memory, value, bytes);
                              initialized_by_host(memory, bytes);
                            }});
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  return api([&](Runtime& r) {
    if (const cudaError_t error = r.may_call_unsafe(); error != cudaSuccess) return error;
    *memory = bytes == 0 ? nullptr : device_memory().allocate(bytes, simt::current_device());
    return bytes > 0 && *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
  });
}

// Waits for all work, as the device does.
cudaError_t cudaFree(void* memory) {
  return api([&](Runtime& r) {
    if (memory == nullptr) return cudaSuccess;
    if (const cudaError_t error = r.may_call_unsafe(); error != cudaSuccess) return error;
    r.run_all();
    std::string damage;
    switch (device_memory().release(memory, &damage)) {
      case simt::DeviceMemory::Freed::kDone:
        return cudaSuccess;
      case simt::DeviceMemory::Freed::kDamaged:
        return r.device_failed(cudaErrorIllegalAddress, "simt: " + damage);
      case simt::DeviceMemory::Freed::kUnknown:
        break;
    }
    return cudaErrorInvalidValue;
  });
}

cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned /*flags*/) {
  return api([&](Runtime& r) {
    if (const cudaError_t error = r.may_call_unsafe(); error != cudaSuccess) return error;
    *memory = bytes == 0 ? nullptr : std::malloc(bytes);
    if (bytes == 0) return cudaSuccess;
    if (*memory == nullptr) return cudaErrorMemoryAllocation;
    r.host_buffers.insert(*memory);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  return cudaHostAlloc(memory, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFreeHost(void* memory) {
  return api([&](Runtime& r) {
    if (memory == nullptr) return cudaSuccess;
    if (const cudaError_t error = r.may_call_unsafe(); error != cudaSuccess) return error;
    if (r.host_buffers.erase(memory) == 0) return cudaErrorInvalidValue;
    r.run_all();
    std::free(memory);
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  return api([&](Runtime&) {
    *free_bytes = device_memory().free_bytes();
    *total_bytes = simt::DeviceMemory::kTotalBytes;
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return api([&](Runtime& r) {
    return enqueue_copy(r, {to, from, bytes, false, false}, kind, stream);
  });
}

// In the default stream, and complete when it returns.
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return api([&](Runtime& r) {
    if (const cudaError_t error = r.may_call_unsafe(); error != cudaSuccess) return error;
    const cudaError_t error = enqueue_copy(r, {to, from, bytes, false, false}, kind, nullptr);
    if (error == cudaSuccess) r.find(nullptr)->mark().reach();
    return error;
  });
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
  return api([&](Runtime& r) { return enqueue_memset(r, memory, value, bytes, stream); });
}

cudaError_t cudaMemset(void* memory, int value, std::size_t bytes) {
  return api([&](Runtime& r) {
    if (const cudaError_t error = r.may_call_unsafe(); error != cudaSuccess) return error;
    return enqueue_memset(r, memory, value, bytes, nullptr);
  });
}

}  // extern "C"
