// Launches that the device would refuse.
#include "kernels/cuda/simt.h"
#include "tests/simt/config.h"
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

// The same through both.
__global__ void both_kernel(float* y) {
  GRADFLIP_SHARED(float, slots, [800]);
  float* const others = dynamic_shared<float>();
  slots[threadIdx.x] = static_cast<float>(threadIdx.x);
  others[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = others[threadIdx.x ^ 1] + slots[threadIdx.x ^ 1];
}

bool holds_neighbours(DeviceArray<float>& y) {
  std::vector<float> expected(64);
  for (int i = 0; i < 64; ++i) expected[i] = static_cast<float>(1 + (i ^ 1));
  return holds(y, expected);
}

template <void (*kKernel)(float*), unsigned kThreads, unsigned kRows, unsigned kBytes>
bool neighbours() {
  DeviceArray<float> y(64);
  launch(kKernel, dim3(1, kRows), kThreads, kBytes, nullptr, y.data());
  return holds_neighbours(y);
}

// A launch that leaves asking for shared memory to its caller.
void launch_unasked(void (*kernel)(float*), std::size_t bytes, float* y) {
  GRADFLIP_CUDA_CHECK(simt::launch(kernel, 1, 64, bytes, nullptr, y));
}

void ask(void (*kernel)(float*), std::size_t bytes) {
  GRADFLIP_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           static_cast<int>(bytes)));
}

template <void (*kKernel)(float*), std::size_t kBytes>
bool asks_for_more_than_48_kib_of_dynamic() {
  DeviceArray<float> y(64);
  if (kBytes > 48 * 1024) ask(kKernel, kBytes);
  launch_unasked(kKernel, kBytes, y.data());
  return holds_neighbours(y);
}

bool nobody_asks() {
  DeviceArray<float> y(64);
  launch_unasked(dynamic_kernel, 49 * 1024, y.data());
  return holds_neighbours(y);
}

bool asks_for_each_size(bool before_each_launch) {
  DeviceArray<float> y(64);
  ask(both_kernel, 90 * 1024);
  launch_unasked(both_kernel, 90 * 1024, y.data());
  ask(both_kernel, 60 * 1024);
  launch_unasked(both_kernel, 60 * 1024, y.data());
  if (before_each_launch) ask(both_kernel, 90 * 1024);
  launch_unasked(both_kernel, 90 * 1024, y.data());
  return holds_neighbours(y);
}

bool asks_on_one_device() {
  simt::config().devices = 2;
  ask(dynamic_kernel, 90 * 1024);
  GRADFLIP_CUDA_CHECK(cudaSetDevice(1));
  DeviceArray<float> y(64);
  launch_unasked(dynamic_kernel, 90 * 1024, y.data());
  return holds_neighbours(y);
}

bool memory_of_another_device() {
  simt::config().devices = 2;
  DeviceArray<float> y(64);
  GRADFLIP_CUDA_CHECK(cudaSetDevice(1));
  launch_unasked(dynamic_kernel, 1024, y.data());
  return holds_neighbours(y);
}

bool two_sizes_in_turns() {
  DeviceArray<float> y(64);
  for (const std::size_t kib : {223, 46, 223})
    launch(both_kernel, 1, 64, kib * 1024, nullptr, y.data());
  return holds_neighbours(y);
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
    {"49 KiB of dynamic shared memory, unasked", kError, kError, kError, "", nobody_asks},
    {"46 KiB of dynamic shared memory beside 3 KiB of static, unasked", kError, kError, kError,
     "48 KiB", asks_for_more_than_48_kib_of_dynamic<both_kernel, 46 * 1024>},
    {"all of the 227 KiB asked for beside static ones", kError, kError, kError, "",
     asks_for_more_than_48_kib_of_dynamic<both_kernel, 227 * 1024>},
    {"a limit lowered for another launch", kError, kError, kError, "",
     [] { return asks_for_each_size(false); }},
    {"a limit raised on another device", kError, kError, kError, "", asks_on_one_device},
    {"memory of another device", kError, kError, kError, "device 0", memory_of_another_device},
    {"44 KiB of dynamic shared memory beside 3 KiB of static", kRight, kRight, kRight, "",
     asks_for_more_than_48_kib_of_dynamic<both_kernel, 44 * 1024>},
    {"a limit of each launch's own", kRight, kRight, kRight, "",
     [] { return asks_for_each_size(true); }},
    {"two sizes of dynamic shared memory in turns", kRight, kRight, kRight, "", two_sizes_in_turns},
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
