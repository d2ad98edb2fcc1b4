// Kernels that are right, although a careless checker could think otherwise: inside a block.
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::launch;

constexpr unsigned kAllLanes = 0xffffffffu;

// The sum of a block: shuffles within warps, one slot per warp, and the first warp again.
__global__ void block_sum_kernel(const float* x, float* y) {
  GRADFLIP_SHARED(float, partial, [32]);
  const unsigned t = threadIdx.x, warp = t / 32, lane = t % 32;
  float value = x[t];
  for (int distance = 16; distance > 0; distance /= 2) {
    value += __shfl_down_sync(kAllLanes, value, distance);
  }
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  if (warp > 0) return;
  value = lane < blockDim.x / 32 ? partial[lane] : 0;
  for (int distance = 16; distance > 0; distance /= 2) {
    value += __shfl_down_sync(kAllLanes, value, distance);
  }
  if (lane == 0) y[0] = value;
}

bool block_sum() {
  const std::vector<float> x = ramp(256);
  DeviceArray<float> device_x(x), y(1);
  launch(block_sum_kernel, 1, 256, 0, nullptr, device_x.data(), y.data());
  return holds(y, {sum(x)});
}

// Transposes a padded tile where it lies: all read, all meet, all write.
__global__ void transpose_in_place_kernel(float* x) {
  GRADFLIP_SHARED(float, tile, [16][17]);
  const unsigned row = threadIdx.x / 16, column = threadIdx.x % 16;
  tile[row][column] = x[threadIdx.x];
  __syncthreads();
  const float value = tile[column][row];
  __syncthreads();
  tile[row][column] = value;
  __syncthreads();
  x[threadIdx.x] = tile[row][column];
}

bool transpose_in_place() {
  const std::vector<float> x = ramp(256);
  DeviceArray<float> device_x(x);
  launch(transpose_in_place_kernel, 1, 256, 0, nullptr, device_x.data());
  std::vector<float> expected(256);
  for (int i = 0; i < 256; ++i) expected[i] = x[i % 16 * 16 + i / 16];
  return holds(device_x, expected);
}

// Two warps, each with its half of the memory, meet only where they exchange halves.
__global__ void two_halves_kernel(const float* x, float* y) {
  GRADFLIP_SHARED(float, halves, [2][32]);
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  halves[warp][lane] = x[threadIdx.x];
  __syncwarp();
  const float rotated = halves[warp][(lane + 1) % 32];
  __syncwarp();
  halves[warp][lane] = 2 * rotated;
  __syncthreads();
  y[threadIdx.x] = halves[1 - warp][lane];
}

bool two_halves() {
  const std::vector<float> x = ramp(64);
  DeviceArray<float> device_x(x), y(64);
  launch(two_halves_kernel, 1, 64, 0, nullptr, device_x.data(), y.data());
  std::vector<float> expected(64);
  for (int i = 0; i < 64; ++i) expected[i] = 2 * x[(i / 32 * 32 + (i + 1) % 32 + 32) % 64];
  return holds(y, expected);
}

// Half warps with masks of their own, in different branches, do not wait for each other.
__global__ void half_warps_kernel(const float* x, float* y) {
  GRADFLIP_SHARED(float, slots, [32]);
  const unsigned lane = threadIdx.x;
  slots[lane] = x[lane];
  float value;
  if (lane < 16) {
    __syncwarp(0x0000ffffu);
    value = slots[15 - lane];
  } else {
    __syncwarp(0xffff0000u);
    value = slots[47 - lane] + __shfl_sync(0xffff0000u, slots[lane], 16);
  }
  y[lane] = value;
}

bool half_warps() {
  const std::vector<float> x = ramp(32);
  DeviceArray<float> device_x(x), y(32);
  launch(half_warps_kernel, 1, 32, 0, nullptr, device_x.data(), y.data());
  std::vector<float> expected(32);
  for (int i = 0; i < 32; ++i) expected[i] = i < 16 ? x[15 - i] : x[47 - i] + x[16];
  return holds(y, expected);
}

// All read one slot; after a barrier one thread replaces it. How long the loop goes on depends on
// data, but it is the same for the whole block.
__global__ void countdown_kernel(const int* start, int* y) {
  GRADFLIP_SHARED(int, left, [1]);
  const unsigned t = threadIdx.x;
  if (t == 0) left[0] = start[0];
  __syncthreads();
  int steps = 0;
  while (__syncthreads_or(left[0] > 0 && t == 5)) {
    ++steps;
    __syncthreads();
    if (t == 0) --left[0];
    __syncthreads();
  }
  y[t] = steps;
}

bool countdown() {
  DeviceArray<int> start(std::vector<int>{7}), y(96);
  launch(countdown_kernel, 1, 96, 0, nullptr, start.data(), y.data());
  return holds(y, std::vector<int>(96, 7));
}

// One piece of shared memory as bytes, then as floats.
__global__ void reuse_kernel(const float* x, float* y) {
  auto* const bytes = gradflip::dynamic_shared<std::uint8_t>();
  auto* const floats = gradflip::dynamic_shared<float>();
  const unsigned t = threadIdx.x;
  bytes[t] = static_cast<std::uint8_t>(t / 2);
  __syncthreads();
  const unsigned source = bytes[t ^ 1];
  __syncthreads();
  floats[t] = x[source];
  __syncthreads();
  y[t] = floats[63 - t];
}

bool reuse() {
  const std::vector<float> x = ramp(64);
  DeviceArray<float> device_x(x), y(64);
  launch(reuse_kernel, 1, 64, 256, nullptr, device_x.data(), y.data());
  std::vector<float> expected(64);
  for (int i = 0; i < 64; ++i) expected[i] = x[(63 - i) / 2];
  return holds(y, expected);
}

// Counts in shared memory by atomics, read after a barrier.
__global__ void histogram_kernel(const float* x, int* y) {
  GRADFLIP_SHARED(int, counts, [17]);
  const unsigned t = threadIdx.x;
  if (t < 17) counts[t] = 0;
  __syncthreads();
  atomicAdd(&counts[static_cast<int>(x[t]) + 3], 1);
  __syncthreads();
  if (t < 17) y[t] = counts[t];
}

bool histogram() {
  DeviceArray<float> x(ramp(128));
  DeviceArray<int> y(17);
  launch(histogram_kernel, 1, 128, 0, nullptr, x.data(), y.data());
  std::vector<int> expected(17);
  for (int i = 0; i < 128; ++i) ++expected[i % 17];
  return holds(y, expected);
}

// Lanes with a positive element store it side by side: votes among lanes that all take part.
__global__ void compact_kernel(const float* x, float* y) {
  const unsigned lane = threadIdx.x;
  const float value = x[lane];
  const unsigned votes = __ballot_sync(kAllLanes, value > 0);
  if (value > 0) y[__popc(votes & ((1u << lane) - 1))] = value;
}

bool compact() {
  const std::vector<float> x = ramp(32);
  std::vector<float> expected;
  for (float value : x) {
    if (value > 0) expected.push_back(value);
  }
  DeviceArray<float> device_x(x), y(expected.size());
  launch(compact_kernel, 1, 32, 0, nullptr, device_x.data(), y.data());
  return holds(y, expected);
}

constexpr Case kCases[] = {
    {"a block's sum by shuffles, most warps gone after the last barrier", kRight, kRight, kRight,
     "", block_sum},
    {"a padded tile transposed in place", kRight, kRight, kRight, "", transpose_in_place},
    {"warps with halves of their own, exchanged at a barrier", kRight, kRight, kRight, "",
     two_halves},
    {"half warps with masks of their own in different branches", kRight, kRight, kRight, "",
     half_warps},
    {"a loop with barriers whose length is data, but one for all", kRight, kRight, kRight, "",
     countdown},
    {"shared memory as bytes, then as floats", kRight, kRight, kRight, "", reuse},
    {"counters in shared memory, read after a barrier", kRight, kRight, kRight, "", histogram},
    {"compaction by votes", kRight, kRight, kRight, "", compact},
};

}  // namespace

Theme sound_within_blocks() { return {"Sound, within blocks", kCases}; }

}  // namespace planted
