#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <memory>

#include "kernels/cuda/check.h"
#include "runtime/cuda_devices.h"
#include "runtime/nvidia_driver.h"

namespace gradflip {
namespace {

// The oldest GPUs that the kernels' instructions exist on.
constexpr int kOldestMajor = 8;

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

// A stream that lives as long as the devices that share it. Not the default stream: that one can
// neither be recorded nor overlap with others.
std::shared_ptr<CUstream_st> make_stream() {
  cudaStream_t stream = nullptr;
  GRADFLIP_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return {stream, [](cudaStream_t owned) { (void)cudaStreamDestroy(owned); }};
}

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
  if (properties.major < kOldestMajor) {
    return NoCudaDevice{
        fmt::format("the GPU, {}, has compute capability {}.{}, and {}.0 is needed",
                    properties.name, properties.major, properties.minor, kOldestMajor),
        "use a newer GPU"};
  }
  try {
    GRADFLIP_CUDA_CHECK(cudaSetDevice(ordinal));
    std::shared_ptr<CUstream_st> stream = make_stream();
    return Device{Cuda{stream.get()}, properties.name, {}, stream};
  } catch (const CudaError& busy) {  // in exclusive use by another process, say
    return NoCudaDevice{
        fmt::format("the GPU, {}, cannot be used: {}", properties.name, busy.what()),
        "wait for it or choose another"};
  }
}

}  // namespace gradflip
