// What a test needs of a backend besides its kernels: memory, copies, and whether it can run here.
// One specialisation per alternative of Context.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <string>

#include "kernels/context.h"

namespace gradflip {

template <typename Ctx>
struct Backend;

template <>
struct Backend<Cpu> {
  static constexpr const char* kName = "cpu";

  // Why its tests cannot run on this machine; empty where they can.
  static std::string unavailable() { return {}; }
  static Cpu context() { return {}; }

  // Aligned to 64 bytes.
  static std::byte* allocate(std::size_t bytes) {
    return static_cast<std::byte*>(::operator new(bytes, kAlignment));
  }
  static void release(std::byte* memory) { ::operator delete(memory, kAlignment); }
  // Complete when they return, and after every kernel enqueued before.
  static void copy_from_host(void* to, const void* from, std::size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  static void copy_to_host(void* to, const void* from, std::size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
};

// A GPU, or the emulated one of tests/simt: whichever runtime the test is linked with. Defined in
// backend_cuda.cpp, in builds that have CUDA kernels.
template <>
struct Backend<Cuda> {
  static constexpr const char* kName = "cuda";

  static std::string unavailable();
  static Cuda context();

  // Aligned to 256 bytes.
  static std::byte* allocate(std::size_t bytes);
  static void release(std::byte* memory);
  static void copy_from_host(void* to, const void* from, std::size_t bytes);
  static void copy_to_host(void* to, const void* from, std::size_t bytes);
};

}  // namespace gradflip
