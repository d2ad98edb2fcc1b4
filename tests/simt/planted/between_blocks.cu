// Bugs between blocks, which a sequential run hides.
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::launch;

enum class Bug {
  kNone,
  kNoAtomics,
  kNoFence,
  kNoBarrierBeforeTicket,
  kCounterNotReset,
  kOverlap,
  kInPlace,
  kReadsBlockBefore,
};

// Adds all of x to total[0]; small integers, so that the order does not matter.
template <Bug kBug>
__global__ void sum_kernel(const float* x, float* total) {
  const float value = x[blockIdx.x * blockDim.x + threadIdx.x];
  if constexpr (kBug == Bug::kNoAtomics) {
    total[0] += value;
  } else {
    atomicAdd(total, value);
  }
}

template <Bug kBug>
bool sum_all() {
  const std::vector<float> x = ramp(256);
  DeviceArray<float> device_x(x), total(std::vector<float>{0});
  launch(sum_kernel<kBug>, 2, 128, 0, nullptr, device_x.data(), total.data());
  return holds(total, {sum(x)});
}

// Partial sums per thread; the block that takes the last ticket adds them up.
template <Bug kBug>
__global__ void last_block_kernel(const float* x, float* partial, unsigned* tickets, float* y) {
  GRADFLIP_SHARED(bool, is_last, [1]);
  const unsigned t = threadIdx.x;
  partial[blockIdx.x * 64 + t] = 2 * x[blockIdx.x * 64 + t];
  if (kBug != Bug::kNoFence) __threadfence();
  if (kBug != Bug::kNoBarrierBeforeTicket) __syncthreads();
  if (t == 0) is_last[0] = atomicAdd(tickets, 1u) == gridDim.x - 1;
  __syncthreads();
  if (!is_last[0]) return;
  float total = 0;
  for (unsigned block = 0; block < gridDim.x; ++block) total += partial[block * 64 + t];
  y[t] = total;
  if (t == 0 && kBug != Bug::kCounterNotReset) tickets[0] = 0;
}

template <Bug kBug>
bool last_block() {
  std::vector<float> x = ramp(256), expected(64);
  DeviceArray<float> device_x(x), partial(256), y(64);
  DeviceArray<unsigned> tickets(std::vector<unsigned>{0});
  for (int run = 0; run < 2; ++run) {
    x[0] += 1;
    device_x.set(x);
    launch(last_block_kernel<kBug>, 4, 64, 0, nullptr, device_x.data(), partial.data(),
           tickets.data(), y.data());
  }
  for (int i = 0; i < 256; ++i) expected[i % 64] += 2 * x[i];
  return holds(y, expected);
}

// y = 2 x; a block has 64 rows, or by mistake one more, which is its neighbour's.
template <Bug kBug>
__global__ void rows_kernel(unsigned size, const float* x, float* y) {
  const unsigned rows = kBug == Bug::kOverlap ? 65 : 64;
  const unsigned i = blockIdx.x * 64 + threadIdx.x;
  if (threadIdx.x < rows && i < size) y[i] = 2 * x[i];
}

template <Bug kBug>
bool rows() {
  const std::vector<float> x = ramp(128);
  std::vector<float> expected = x;
  for (float& value : expected) value *= 2;
  DeviceArray<float> device_x(x), y(128);
  launch(rows_kernel<kBug>, 2, 96, 0, nullptr, 128, device_x.data(), y.data());
  return holds(y, expected);
}

// y[i] = x[i] + x[i + 1] over several blocks. In place, a block may read what its neighbour has
// already replaced; the barrier helps only inside a block.
__global__ void stencil_kernel(unsigned size, const float* x, float* y) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const float value = x[i] + (i + 1 < size ? x[i + 1] : 0);
  __syncthreads();
  y[i] = value;
}

template <Bug kBug>
bool stencil() {
  const std::vector<float> x = ramp(256);
  DeviceArray<float> device_x(x), y(256);
  DeviceArray<float>& target = kBug == Bug::kInPlace ? device_x : y;
  launch(stencil_kernel, 2, 128, 0, nullptr, 256, device_x.data(), target.data());
  std::vector<float> expected(256);
  for (int i = 0; i < 256; ++i) expected[i] = x[i] + (i + 1 < 256 ? x[i + 1] : 0);
  return holds(target, expected);
}

// Block sums, each added to the one before: as if blocks ran one after the other.
template <Bug kBug>
__global__ void chain_kernel(const float* x, float* y) {
  const float before = kBug == Bug::kReadsBlockBefore && blockIdx.x > 0 ? y[blockIdx.x - 1] : 0;
  y[blockIdx.x] = before + x[blockIdx.x];
}

template <Bug kBug>
bool chain() {
  const std::vector<float> x = ramp(8);
  std::vector<float> expected = x;
  if (kBug != Bug::kNone) {
    for (int i = 1; i < 8; ++i) expected[i] += expected[i - 1];
  }
  DeviceArray<float> device_x(x), y(std::vector<float>(8));
  launch(chain_kernel<kBug>, 8, 1, 0, nullptr, device_x.data(), y.data());
  return holds(y, expected);
}

constexpr Case kCases[] = {
    {"a sum by atomics", kRight, kRight, kRight, "", sum_all<Bug::kNone>},
    {"a sum without atomics", kRight, kRight, kError, "race on global memory",
     sum_all<Bug::kNoAtomics>},
    {"a reduction by the last block", kRight, kRight, kRight, "", last_block<Bug::kNone>},
    {"no __threadfence before the ticket", kRight, kRight, kError, "race on global memory",
     last_block<Bug::kNoFence>},
    {"no barrier before the ticket", kRight | kWrong, kRight | kWrong, kError,
     "race on global memory", last_block<Bug::kNoBarrierBeforeTicket>},
    {"tickets that are not reset for the next launch", kWrong, kWrong, kWrong, "",
     last_block<Bug::kCounterNotReset>},
    {"rows of two blocks", kRight, kRight, kRight, "", rows<Bug::kNone>},
    {"a row that two blocks write alike", kRight, kRight, kError, "race on global memory",
     rows<Bug::kOverlap>},
    {"a stencil", kRight, kRight, kRight, "", stencil<Bug::kNone>},
    {"a stencil in place", kRight | kWrong, kRight | kWrong, kError, "race on global memory",
     stencil<Bug::kInPlace>},
    {"one element per block", kRight, kRight, kRight, "", chain<Bug::kNone>},
    {"a result read from the block before", kRight | kWrong, kRight | kWrong, kError,
     "race on global memory", chain<Bug::kReadsBlockBefore>},
};

}  // namespace

Theme between_blocks() { return {"Between blocks", kCases}; }

}  // namespace planted
