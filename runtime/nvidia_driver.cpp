#include "runtime/nvidia_driver.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace gradflip {
namespace {

// From cuda.h, whose values are part of the driver's stable binary interface.
using CuResult = int;
constexpr CuResult kCudaSuccess = 0;
constexpr CuResult kCudaErrorNoDevice = 100;

template <typename Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(library, name));
}

std::string describe(void* library, CuResult result) {
  const char* text = nullptr;
  auto* error_string = symbol<CuResult(CuResult, const char**)>(library, "cuGetErrorString");
  if (error_string != nullptr && error_string(result, &text) == kCudaSuccess && text != nullptr) {
    return fmt::format("CUDA error {}, {}", result, text);
  }
  return fmt::format("CUDA error {}", result);
}

NvidiaDriver probe() {
  // Never closed: the driver starts threads that must not lose their code.
  void* library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {};

  NvidiaDriver driver{.loaded = true, .gpus = 0, .complaint = {}};
  auto* init = symbol<CuResult(unsigned)>(library, "cuInit");
  auto* count = symbol<CuResult(int*)>(library, "cuDeviceGetCount");
  if (init == nullptr || count == nullptr) {
    driver.complaint = "libcuda.so.1 is not the driver's library";
    return driver;
  }
  CuResult result = init(0);
  if (result == kCudaSuccess) result = count(&driver.gpus);
  if (result != kCudaSuccess && result != kCudaErrorNoDevice) {
    driver.complaint = describe(library, result);
  }
  return driver;
}

}  // namespace

const NvidiaDriver& nvidia_driver() {
  static const NvidiaDriver driver = probe();
  return driver;
}

}  // namespace gradflip
