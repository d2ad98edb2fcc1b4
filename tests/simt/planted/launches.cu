// Launches that the device would refuse.
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::dynamic_shared;
using gradflip::launch;

// y[t] = 1 + the neighbour's t, through an array of `kFloats`.
template <int kFloats>
__global__ void static_kernel(float* y) {
  GRADFLIP_SHARED(float, slots, [kFloats]);
  slots[threadIdx.x] = static_cast<float>(threadIdx.x);
  __syncthreads();
  y[threadIdx.x] = 1 + slots[threadIdx.x ^ 1];
}

__global__ void dynamic_kernel(float* y) {
  float* const slots = dynamic_shared<float>();
  slots[threadIdx.x] = static_cast<float>(threadIdx.x);
  __syncthreads();
  y[threadIdx.x] = 1 + slots[threadIdx.x ^ 1];
}

template <void (*kKernel)(float*), unsigned kThreads, unsigned kRows, unsigned kBytes>
bool neighbours() {
  DeviceArray<float> y(64);
  launch(kKernel, dim3(1, kRows), kThreads, kBytes, nullptr, y.data());
  std::vector<float> expected(64);
  for (int i = 0; i < 64; ++i) expected[i] = static_cast<float>(1 + (i ^ 1));
  return holds(y, expected);
}

constexpr Case kCases[] = {
    {"48 KiB of static shared memory", kRight, kRight, kRight, "",
     neighbours<static_kernel<12 * 1024>, 64, 1, 0>},
    {"more than 48 KiB of static shared memory", kError, kError, kError, "48 KiB",
     neighbours<static_kernel<12 * 1024 + 1>, 64, 1, 0>},
    {"227 KiB of dynamic shared memory", kRight, kRight, kRight, "",
     neighbours<dynamic_kernel, 64, 1, 227 * 1024>},
    {"more than 227 KiB of dynamic shared memory", kError, kError, kError, "",
     neighbours<dynamic_kernel, 64, 1, 228 * 1024>},
    {"more than 1,024 threads", kError, kError, kError, "",
     neighbours<dynamic_kernel, 1025, 1, 227 * 1024>},
    {"more than 65,535 rows of blocks", kError, kError, kError, "",
     neighbours<dynamic_kernel, 64, 65536, 1024>},
    {"an empty grid", kError, kError, kError, "", neighbours<dynamic_kernel, 64, 0, 1024>},
    {"an empty block", kError, kError, kError, "", neighbours<dynamic_kernel, 0, 1, 1024>},
};

}  // namespace

Theme launches() { return {"Launches", kCases}; }

}  // namespace planted
