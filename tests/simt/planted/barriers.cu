// Bugs with __syncthreads.
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::launch;

enum class Bug {
  kNone,
  kNoneAfterStore,
  kInOneBranch,
  kInBothBranches,
  kAfterEarlyReturn,
  kNeighbourAfterLast,
  kNoneBeforeOverwrite,
  kTripCountPerThread,
  kOneTooFewForTwoBuffers,
  kNoneInTree,
  kTreeOfOddWidth,
};

// Reverses blocks of 128 elements through shared memory.
template <Bug kBug>
__global__ void reverse_kernel(const float* x, float* y) {
  GRADFLIP_SHARED(float, tile, [128]);
  const unsigned t = threadIdx.x;
  tile[t] = x[blockIdx.x * 128 + t];
  if constexpr (kBug == Bug::kInOneBranch) {
    if (t < 64) __syncthreads();
  } else if constexpr (kBug == Bug::kInBothBranches) {
    if (t < 64) {
      __syncthreads();
    } else {
      __syncthreads();
    }
  } else if constexpr (kBug == Bug::kAfterEarlyReturn) {
    if (t == 127) return;
    __syncthreads();
  } else if constexpr (kBug != Bug::kNoneAfterStore) {
    __syncthreads();
  }
  const float value = tile[127 - t];
  if constexpr (kBug == Bug::kNeighbourAfterLast) tile[(t + 1) % 128] = value;
  y[blockIdx.x * 128 + t] = value;
}

template <Bug kBug>
bool reverse() {
  const std::vector<float> x = ramp(256);
  DeviceArray<float> device_x(x), y(256);
  launch(reverse_kernel<kBug>, 2, 128, 0, nullptr, device_x.data(), y.data());
  std::vector<float> expected(256);
  for (int i = 0; i < 256; ++i) expected[i] = x[i / 128 * 128 + 127 - i % 128];
  return holds(y, expected);
}

// y[t] = sum over tiles of the element 37 places further: one tile after the other in the same
// shared memory.
template <Bug kBug>
__global__ void tiles_kernel(int size, const float* x, float* y) {
  GRADFLIP_SHARED(float, tile, [128]);
  const int t = static_cast<int>(threadIdx.x);
  const int count = kBug == Bug::kTripCountPerThread && t >= 96 ? size - 128 : size;
  float total = 0;
  for (int begin = 0; begin < count; begin += 128) {
    tile[t] = x[begin + t];
    __syncthreads();
    total += tile[(t + 37) % 128];
    if constexpr (kBug != Bug::kNoneBeforeOverwrite) __syncthreads();
  }
  y[t] = total;
}

// The same with two tiles in turns, which saves the second barrier, but not the first.
template <Bug kBug>
__global__ void two_tiles_kernel(int size, const float* x, float* y) {
  GRADFLIP_SHARED(float, tile, [2][128]);
  const int t = static_cast<int>(threadIdx.x);
  float total = 0;
  for (int begin = 0, turn = 0; begin < size; begin += 128, turn ^= 1) {
    tile[turn][t] = x[begin + t];
    if (kBug != Bug::kOneTooFewForTwoBuffers || turn == 0) __syncthreads();
    total += tile[turn][(t + 37) % 128];
  }
  y[t] = total;
}

template <void (*kKernel)(int, const float*, float*)>
bool sum_tiles() {
  const std::vector<float> x = ramp(512);
  DeviceArray<float> device_x(x), y(128);
  launch(kKernel, 1, 128, 0, nullptr, 512, device_x.data(), y.data());
  std::vector<float> expected(128);
  for (int i = 0; i < 512; ++i) expected[(i + 128 - 37) % 128] += x[i];
  return holds(y, expected);
}

// The sum of a block in a tree over shared memory.
template <Bug kBug, unsigned kWidth>
__global__ void tree_kernel(const float* x, float* y) {
  GRADFLIP_SHARED(float, partial, [kWidth]);
  const unsigned t = threadIdx.x;
  partial[t] = x[t];
  __syncthreads();
  for (unsigned distance = kWidth / 2; distance > 0; distance /= 2) {
    if (t < distance) partial[t] += partial[t + distance];
    if constexpr (kBug != Bug::kNoneInTree) __syncthreads();
  }
  if (t == 0) y[0] = partial[0];
}

template <Bug kBug, unsigned kWidth>
bool tree() {
  const std::vector<float> x = ramp(kWidth);
  DeviceArray<float> device_x(x), y(1);
  launch(tree_kernel<kBug, kWidth>, 1, kWidth, 0, nullptr, device_x.data(), y.data());
  return holds(y, {sum(x)});
}

constexpr Case kCases[] = {
    {"a tile reversed", kRight, kRight, kRight, "", reverse<Bug::kNone>},
    {"no barrier after the tile is stored", kWrong, kWrong, kError, "race on shared memory",
     reverse<Bug::kNoneAfterStore>},
    {"a barrier in one branch only", kError, kError, kError, "divergent",
     reverse<Bug::kInOneBranch>},
    {"a barrier in each branch", kError, kError, kError, "divergent",
     reverse<Bug::kInBothBranches>},
    {"a barrier after an early return", kError, kError, kError, "divergent",
     reverse<Bug::kAfterEarlyReturn>},
    {"a neighbour's slot written after the last barrier", kRight | kWrong, kRight | kWrong, kError,
     "race on shared memory", reverse<Bug::kNeighbourAfterLast>},
    {"tiles summed", kRight, kRight, kRight, "", sum_tiles<tiles_kernel<Bug::kNone>>},
    {"no barrier before the tile is overwritten", kWrong, kWrong, kError, "race on shared memory",
     sum_tiles<tiles_kernel<Bug::kNoneBeforeOverwrite>>},
    {"a barrier in a loop whose length depends on the thread", kError, kError, kError, "divergent",
     sum_tiles<tiles_kernel<Bug::kTripCountPerThread>>},
    {"two tiles in turns", kRight, kRight, kRight, "", sum_tiles<two_tiles_kernel<Bug::kNone>>},
    {"two tiles in turns, a barrier for one of them only", kWrong, kWrong, kError,
     "race on shared memory", sum_tiles<two_tiles_kernel<Bug::kOneTooFewForTwoBuffers>>},
    {"a tree of sums", kRight, kRight, kRight, "", tree<Bug::kNone, 128>},
    {"a tree of sums without barriers between its steps", kRight | kWrong, kRight | kWrong, kError,
     "race on shared memory", tree<Bug::kNoneInTree, 128>},
    {"a tree of sums over 96 elements, halved each step", kWrong, kWrong, kWrong, "",
     tree<Bug::kTreeOfOddWidth, 96>},
};

}  // namespace

Theme barriers() { return {"Block barriers", kCases}; }

}  // namespace planted
