// Kernels that are right, although a careless checker could think otherwise: between blocks.
#include "kernels/cuda/simt.h"
#include "tests/simt/planted/device_array.h"
#include "tests/simt/planted/planted.h"

namespace planted {
namespace {

using gradflip::launch;

// True in every thread of the block that takes the last of `count` tickets, which it gives back.
// Thread 0's fence comes after the barrier, and so publishes what the whole block stored.
__device__ bool takes_last_ticket(unsigned* tickets, unsigned count) {
  GRADFLIP_SHARED(bool, is_last, [1]);
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    is_last[0] = atomicAdd(tickets, 1u) == count - 1;
    if (is_last[0]) tickets[0] = 0;
    __threadfence();
  }
  __syncthreads();
  const bool result = is_last[0];
  __syncthreads();
  return result;
}

// The last block adds what all blocks have stored, in a fixed order.
__global__ void last_block_kernel(const float* x, float* partial, unsigned* tickets, float* y) {
  const unsigned t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  partial[i] = 2 * x[i];
  if (!takes_last_ticket(tickets, gridDim.x)) return;
  float total = 0;
  for (unsigned block = 0; block < gridDim.x; ++block) total += partial[block * blockDim.x + t];
  y[t] = total;
}

bool last_block() {
  std::vector<float> x = ramp(256), expected(64);
  DeviceArray<float> device_x(x), partial(256), y(64);
  DeviceArray<unsigned> tickets(std::vector<unsigned>{0});
  for (int run = 0; run < 2; ++run) {
    x[0] += 1;
    device_x.set(x);
    launch(last_block_kernel, 4, 64, 0, nullptr, device_x.data(), partial.data(), tickets.data(),
           y.data());
  }
  for (int i = 0; i < 256; ++i) expected[i % 64] += 2 * x[i];
  return holds(y, expected);
}

// In two levels: the last block of each group adds its group up, the last of those adds the groups.
// What it reads of other groups it knows only through their last blocks.
__global__ void two_levels_kernel(const float* x, float* partial, float* group_sums,
                                  unsigned* tickets, float* y) {
  constexpr unsigned kGroup = 4;
  const unsigned t = threadIdx.x, group = blockIdx.x / kGroup, groups = gridDim.x / kGroup;
  partial[blockIdx.x * 32 + t] = x[blockIdx.x * 32 + t];
  if (!takes_last_ticket(&tickets[1 + group], kGroup)) return;
  float total = 0;
  for (unsigned i = 0; i < kGroup; ++i) total += partial[(group * kGroup + i) * 32 + t];
  group_sums[group * 32 + t] = total;
  if (!takes_last_ticket(&tickets[0], groups)) return;
  float groups_total = 0, blocks_total = 0;
  for (unsigned i = 0; i < groups; ++i) groups_total += group_sums[i * 32 + t];
  for (unsigned i = 0; i < gridDim.x; ++i) blocks_total += partial[i * 32 + t];
  y[t] = groups_total + blocks_total;
}

bool two_levels() {
  const std::vector<float> x = ramp(12 * 32);
  DeviceArray<float> device_x(x), partial(12 * 32), group_sums(3 * 32), y(32);
  DeviceArray<unsigned> tickets(std::vector<unsigned>(4));
  launch(two_levels_kernel, 12, 32, 0, nullptr, device_x.data(), partial.data(), group_sums.data(),
         tickets.data(), y.data());
  std::vector<float> expected(32);
  for (int i = 0; i < 12 * 32; ++i) expected[i % 32] += 2 * x[i];
  return holds(y, expected);
}

// In place and with more blocks than work: each element is one thread's alone.
__global__ void double_kernel(int size, float* x) {
  const int step = static_cast<int>(gridDim.x * blockDim.x);
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < size; i += step) {
    x[i] *= 2;
  }
}

bool double_in_place(int size, unsigned blocks) {
  const std::vector<float> x = ramp(size);
  std::vector<float> expected = x;
  for (float& value : expected) value *= 2;
  DeviceArray<float> device_x(x);
  launch(double_kernel, blocks, 64, 0, nullptr, size, device_x.data());
  return holds(device_x, expected);
}
bool more_work_than_threads() { return double_in_place(1000, 3); }
bool blocks_without_work() { return double_in_place(70, 5); }

// Blocks of 30 threads store bytes side by side: the ends of two blocks share a word.
__global__ void bytes_kernel(std::uint8_t* y) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = static_cast<std::uint8_t>(i);
}

bool bytes() {
  DeviceArray<std::uint8_t> y(90);
  launch(bytes_kernel, 3, 30, 0, nullptr, y.data());
  std::vector<std::uint8_t> expected(90);
  for (int i = 0; i < 90; ++i) expected[i] = static_cast<std::uint8_t>(i);
  return holds(y, expected);
}

// Each block claims a piece of the output by an atomic; the order of the pieces is open, so the
// result is compared through a second kernel that adds them.
__global__ void claim_kernel(const float* x, unsigned* used, float* pieces) {
  GRADFLIP_SHARED(unsigned, begin, [1]);
  if (threadIdx.x == 0) begin[0] = atomicAdd(used, blockDim.x);
  __syncthreads();
  pieces[begin[0] + threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
}
__global__ void add_pieces_kernel(unsigned count, const float* pieces, float* y) {
  float total = 0;
  for (unsigned i = 0; i < count; ++i) total += pieces[i * blockDim.x + threadIdx.x];
  y[threadIdx.x] = total;
}

bool claim() {
  const std::vector<float> x = ramp(4 * 32);
  DeviceArray<float> device_x(x), pieces(4 * 32), y(32);
  DeviceArray<unsigned> used(std::vector<unsigned>{0});
  launch(claim_kernel, 4, 32, 0, nullptr, device_x.data(), used.data(), pieces.data());
  launch(add_pieces_kernel, 1, 32, 0, nullptr, 4, pieces.data(), y.data());
  std::vector<float> expected(32);
  for (int i = 0; i < 4 * 32; ++i) expected[i % 32] += x[i];
  return holds(y, expected);
}

// Counters of all blocks, and the largest value by compare-and-swap.
__global__ void counters_kernel(const unsigned* x, unsigned* counts, unsigned* largest) {
  const unsigned value = x[blockIdx.x * blockDim.x + threadIdx.x];
  atomicAdd(&counts[value % 8], 1u);
  unsigned seen = atomicMax(largest, 0u);
  while (seen < value) {
    const unsigned before = atomicCAS(largest, seen, value);
    if (before == seen) break;
    seen = before;
  }
}

bool counters() {
  std::vector<unsigned> x(256), expected(8);
  for (unsigned i = 0; i < 256; ++i) {
    x[i] = i * 37 % 251;
    ++expected[x[i] % 8];
  }
  DeviceArray<unsigned> device_x(x), counts(std::vector<unsigned>(8)),
      largest(std::vector<unsigned>(1));
  launch(counters_kernel, 4, 64, 0, nullptr, device_x.data(), counts.data(), largest.data());
  return holds(counts, expected) && holds(largest, {250u});
}

constexpr Case kCases[] = {
    {"a reduction by the last block, one fence after the barrier", kRight, kRight, kRight, "",
     last_block},
    {"a reduction in two levels of tickets", kRight, kRight, kRight, "", two_levels},
    {"in place, several elements per thread", kRight, kRight, kRight, "", more_work_than_threads},
    {"blocks without work", kRight, kRight, kRight, "", blocks_without_work},
    {"bytes of two blocks in a word", kRight, kRight, kRight, "", bytes},
    {"pieces of the output claimed by atomics", kRight, kRight, kRight, "", claim},
    {"counters of all blocks, and a compare-and-swap", kRight, kRight, kRight, "", counters},
};

}  // namespace

Theme sound_between_blocks() { return {"Sound, between blocks", kCases}; }

}  // namespace planted
