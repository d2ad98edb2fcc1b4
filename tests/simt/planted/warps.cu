// Bugs with shuffles, votes and __syncwarp.
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::launch;

constexpr unsigned kAllLanes = 0xffffffffu;

enum class Bug {
  kNone,
  kLaneOutsideMask,
  kExitedLane,
  kCallPerBranch,
  kWrongDistance,
  kPartialWarp,
  kNoSyncwarp,
  kMaskWithoutCaller,
  kMaskTooNarrow,
  kShuffleAsFence,
};

// Every lane gets the sum of its warp.
template <Bug kBug>
__global__ void sum_kernel(const float* x, float* y) {
  const unsigned lane = threadIdx.x % 32;
  float value = x[threadIdx.x];
  if constexpr (kBug == Bug::kLaneOutsideMask) {
    if (lane < 16) value += __shfl_xor_sync(0x0000ffffu, value, 16);
  } else if constexpr (kBug == Bug::kExitedLane) {
    if (lane == 31) return;
    value += __shfl_xor_sync(kAllLanes, value, 16);
  } else if constexpr (kBug == Bug::kCallPerBranch) {
    if (lane % 2 == 0) {
      value += __shfl_xor_sync(kAllLanes, value, 16);
    } else {
      value = __shfl_xor_sync(kAllLanes, value, 16) + value;
    }
  } else {
    value += __shfl_xor_sync(kAllLanes, value, 16);
  }
  value += __shfl_xor_sync(kAllLanes, value, 8);
  value += __shfl_xor_sync(kAllLanes, value, kBug == Bug::kWrongDistance ? 8 : 4);
  value += __shfl_xor_sync(kAllLanes, value, 2);
  value += __shfl_xor_sync(kAllLanes, value, 1);
  y[threadIdx.x] = value;
}

template <Bug kBug>
bool sums() {
  // With 48 threads the second warp has no upper half.
  constexpr unsigned kThreads = kBug == Bug::kPartialWarp ? 48 : 64;
  const std::vector<float> x = ramp(64);
  DeviceArray<float> device_x(x), y(64);
  launch(sum_kernel<kBug>, 1, kThreads, 0, nullptr, device_x.data(), y.data());
  std::vector<float> expected(64);
  for (int i = 0; i < 64; ++i) {
    for (int lane = 0; lane < 32; ++lane) expected[i] += x[i / 32 * 32 + lane];
  }
  return holds(y, expected);
}

// The sum of one warp in shared memory: read, meet, write, meet.
template <Bug kBug>
__global__ void tree_kernel(const float* x, float* y) {
  GRADFLIP_SHARED(float, partial, [64]);
  const unsigned lane = threadIdx.x;
  const unsigned half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  const unsigned mask = kBug == Bug::kMaskWithoutCaller ? 0x0000ffffu
                        : kBug == Bug::kMaskTooNarrow   ? half
                                                        : kAllLanes;
  partial[lane] = x[lane];
  partial[lane + 32] = 0;
  __syncwarp();
  for (unsigned distance = 16; distance > 0; distance /= 2) {
    const float other = partial[lane + distance];
    if (kBug != Bug::kNoSyncwarp) __syncwarp(mask);
    partial[lane] += other;
    if (kBug != Bug::kNoSyncwarp) __syncwarp(mask);
  }
  if (lane == 0) y[0] = partial[0];
}

// Rotates a warp's elements through shared memory. A shuffle makes lanes wait for each other, but
// it does not make them see each other's stores.
template <Bug kBug>
__global__ void rotate_kernel(const float* x, float* y) {
  GRADFLIP_SHARED(float, slots, [32]);
  const unsigned lane = threadIdx.x;
  slots[lane] = x[lane];
  unsigned next = (lane + 1) % 32;
  if (kBug == Bug::kShuffleAsFence) {
    next = __shfl_sync(kAllLanes, lane, (lane + 1) % 32);
  } else {
    __syncwarp();
  }
  y[lane] = slots[next];
}

template <Bug kBug>
bool tree() {
  const std::vector<float> x = ramp(32);
  DeviceArray<float> device_x(x), y(1);
  launch(tree_kernel<kBug>, 1, 32, 0, nullptr, device_x.data(), y.data());
  return holds(y, {sum(x)});
}

template <Bug kBug>
bool rotate() {
  const std::vector<float> x = ramp(32);
  DeviceArray<float> device_x(x), y(32);
  launch(rotate_kernel<kBug>, 1, 32, 0, nullptr, device_x.data(), y.data());
  std::vector<float> expected(32);
  for (int i = 0; i < 32; ++i) expected[i] = x[(i + 1) % 32];
  return holds(y, expected);
}

constexpr Case kCases[] = {
    {"a shuffled sum", kRight, kRight, kRight, "", sums<Bug::kNone>},
    {"a shuffle from a lane outside the mask", kError, kError, kError, "not in the mask",
     sums<Bug::kLaneOutsideMask>},
    {"a mask that names a lane which has returned", kError, kError, kError, "",
     sums<Bug::kExitedLane>},
    {"a shuffle in each branch", kError, kError, kError, "", sums<Bug::kCallPerBranch>},
    {"a full mask in a warp of 16 threads", kError, kError, kError, "", sums<Bug::kPartialWarp>},
    {"a shuffle over a wrong distance", kWrong, kWrong, kWrong, "", sums<Bug::kWrongDistance>},
    {"a warp's tree of sums", kRight, kRight, kRight, "", tree<Bug::kNone>},
    {"no __syncwarp between a tree's steps", kWrong, kWrong, kError, "race on shared memory",
     tree<Bug::kNoSyncwarp>},
    {"a __syncwarp whose mask lacks the caller", kError, kError, kError, "",
     tree<Bug::kMaskWithoutCaller>},
    {"a __syncwarp of half warps that exchange data", kRight | kWrong, kRight | kWrong, kError,
     "race on shared memory", tree<Bug::kMaskTooNarrow>},
    {"a rotation", kRight, kRight, kRight, "", rotate<Bug::kNone>},
    {"a shuffle in place of __syncwarp", kRight, kRight, kError, "race on shared memory",
     rotate<Bug::kShuffleAsFence>},
};

}  // namespace

Theme warps() { return {"Warps", kCases}; }

}  // namespace planted
