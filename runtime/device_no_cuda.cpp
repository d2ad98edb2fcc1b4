#include <fmt/format.h>

#include "runtime/cuda_devices.h"
#include "runtime/nvidia_driver.h"

namespace gradflip {

// The build decides; the machine is asked only to tell which of the two is missing.
std::variant<Device, NoCudaDevice> find_cuda_device(int /*ordinal*/) {
  const std::string no_backend = "this build has no CUDA backend";
  const std::string build_one = "build with CUDA (./demo.sh --cuda, or cmake -DGRADFLIP_CUDA=ON)";
  const NvidiaDriver& driver = nvidia_driver();
  if (!driver.loaded) {
    return NoCudaDevice{no_backend + ", and no NVIDIA driver is installed here",
                        "install the driver, then " + build_one};
  }
  if (!driver.complaint.empty()) {
    return NoCudaDevice{
        fmt::format("{}, and the NVIDIA driver does not start ({})", no_backend, driver.complaint),
        "mend the driver, then " + build_one};
  }
  if (driver.gpus == 0) {
    return NoCudaDevice{no_backend + ", and the NVIDIA driver sees no GPU",
                        build_one + ", and run where a GPU is visible"};
  }
  return NoCudaDevice{fmt::format("{}, though the NVIDIA driver sees {} GPU{}", no_backend,
                                  driver.gpus, driver.gpus == 1 ? "" : "s"),
                      build_one};
}

}  // namespace gradflip
