#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <memory>

#include "kernels/cuda/check.h"
#include "kernels/cuda/gpu_traits.h"
#include "runtime/cuda_devices.h"
#include "runtime/nvidia_driver.h"

namespace gradflip {
namespace {

// The oldest GPUs that the kernels' instructions exist on.
constexpr int kOldest = 80;

// Why the runtime found no GPU at all. It cannot tell a missing driver from an old one.
NoCudaDevice none_at_all(cudaError_t error) {
  const NvidiaDriver& driver = nvidia_driver();
  if (!driver.loaded) {
    return {"no NVIDIA driver is installed here", "install the driver"};
  }
  if (!driver.complaint.empty()) {
    return {fmt::format("the NVIDIA driver does not start ({})", driver.complaint),
            "mend the driver"};
  }
  if (error == cudaErrorInsufficientDriver) {
    return {"the NVIDIA driver is older than this build's CUDA", "update the driver"};
  }
  if (error == cudaSuccess || error == cudaErrorNoDevice) {
    return {"the NVIDIA driver sees no GPU", "run where a GPU is visible"};
  }
  return {fmt::format("CUDA does not start ({})", cudaGetErrorString(error)), "mend the driver"};
}

// What a context refers to: it lives as long as the devices that share it. The stream is not the
// default one, which can neither be recorded nor overlap with others.
class Gpu {
 public:
  // Of the current device.
  explicit Gpu(const GpuTraits& traits) : traits_(traits) {
    GRADFLIP_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  ~Gpu() { (void)cudaStreamDestroy(stream_); }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  Cuda context() const { return {stream_, &traits_}; }

 private:
  const GpuTraits traits_;
  cudaStream_t stream_ = nullptr;
};

}  // namespace

std::variant<Device, NoCudaDevice> find_cuda_device(int ordinal) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    (void)cudaGetLastError();  // told by the result; the next launch must not find it
    return none_at_all(error);
  }
  if (ordinal >= count) {
    return NoCudaDevice{fmt::format("there {} {} GPU{} here, numbered from 0",
                                    count == 1 ? "is" : "are", count, count == 1 ? "" : "s"),
                        "choose one of them"};
  }
  cudaDeviceProp properties{};
  GRADFLIP_CUDA_CHECK(cudaGetDeviceProperties(&properties, ordinal));
  const GpuTraits traits = gpu_traits(ordinal);
  if (traits.capability < kOldest) {
    return NoCudaDevice{
        fmt::format("the GPU, {}, has compute capability {}.{}, and {}.{} is needed",
                    properties.name, traits.capability / 10, traits.capability % 10, kOldest / 10,
                    kOldest % 10),
        "use a newer GPU"};
  }
  try {
    // For those who call CUDA themselves, on this thread; contexts need no current device.
    GRADFLIP_CUDA_CHECK(cudaSetDevice(ordinal));
    const auto gpu = std::make_shared<const Gpu>(traits);
    return Device{gpu->context(), properties.name, {}, gpu};
  } catch (const DeviceError& busy) {  // another process uses it alone, or all its memory
    return NoCudaDevice{
        fmt::format("the GPU, {}, cannot be used: {}", properties.name, busy.what()),
        "wait for it or choose another"};
  }
}

}  // namespace gradflip
