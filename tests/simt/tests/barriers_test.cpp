#include <vector>

#include "kernels/cuda/simt.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using gradflip::launch;

class BarriersTest : public EveryOrder {};
SIMT_IN_EVERY_ORDER(BarriersTest);

// Rotates the block's values by one place, `rounds` times.
__global__ void rotate_kernel(int rounds, int* values) {
  GRADFLIP_SHARED(int, tile, [96]);
  const unsigned t = threadIdx.x;
  tile[t] = values[t];
  for (int round = 0; round < rounds; ++round) {
    __syncthreads();
    const int next = tile[(t + 1) % blockDim.x];
    __syncthreads();
    tile[t] = next;
  }
  values[t] = tile[t];
}

TEST_P(BarriersTest, SyncthreadsOrdersSharedMemory) {
  std::vector<int> values(96);
  for (int t = 0; t < 96; ++t) values[t] = t;
  DeviceVector<int> x(values);
  launch(rotate_kernel, 1, 96, 0, nullptr, 5, x.data());
  for (int t = 0; t < 96; ++t) values[t] = (t + 5) % 96;
  EXPECT_EQ(x.read(), values);
}

__global__ void predicates_kernel(int threshold, int* results) {
  const int below = static_cast<int>(threadIdx.x) < threshold ? 2 : 0;  // any non-zero counts
  const int all = __syncthreads_and(below);
  const int any = __syncthreads_or(below);
  const int count = __syncthreads_count(below);
  if (threadIdx.x == blockDim.x - 1) {
    results[0] = all;
    results[1] = any;
    results[2] = count;
  }
}

TEST_P(BarriersTest, PredicatesAreCombinedOverTheBlock) {
  for (const int threshold : {0, 1, 39, 40}) {
    DeviceVector<int> results(3);
    launch(predicates_kernel, 1, 40, 0, nullptr, threshold, results.data());
    EXPECT_EQ(results.read(), (std::vector<int>{threshold == 40, threshold > 0, threshold}));
  }
}

// Phases of a tree sum: threads that have nothing to add take part in the barrier all the same.
__global__ void tree_sum_kernel(const int* values, int* sums) {
  int* partial = gradflip::dynamic_shared<int>();
  partial[threadIdx.x] = values[blockIdx.x * blockDim.x + threadIdx.x];
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = partial[0];
}

TEST_P(BarriersTest, SeveralBlocksEachHaveTheirOwnSharedMemory) {
  constexpr int kBlocks = 7;
  constexpr int kThreads = 128;
  std::vector<int> values(kBlocks * kThreads);
  std::vector<int> expected(kBlocks);
  for (int i = 0; i < kBlocks * kThreads; ++i) {
    values[i] = i * i % 101;
    expected[i / kThreads] += values[i];
  }
  DeviceVector<int> x(values);
  DeviceVector<int> sums(kBlocks);
  launch(tree_sum_kernel, kBlocks, kThreads, kThreads * sizeof(int), nullptr, x.data(),
         sums.data());
  EXPECT_EQ(sums.read(), expected);
}

// Lanes exchange through shared memory with nothing but __syncwarp between them.
__global__ void reverse_warp_kernel(int* values) {
  GRADFLIP_SHARED(int, tile, [64]);
  const unsigned t = threadIdx.x;
  tile[t] = values[t];
  __syncwarp();
  values[t] = tile[(t & ~31U) + 31 - t % 32];
}

TEST_P(BarriersTest, SyncwarpOrdersTheLanesOfAWarp) {
  std::vector<int> values(64);
  std::vector<int> expected(64);
  for (int t = 0; t < 64; ++t) values[t] = t;
  for (int t = 0; t < 64; ++t) expected[t] = t / 32 * 32 + 31 - t % 32;
  DeviceVector<int> x(values);
  launch(reverse_warp_kernel, 1, 64, 0, nullptr, x.data());
  EXPECT_EQ(x.read(), expected);
}

// Both halves of a warp meet among themselves, at different lines.
__global__ void half_warps_kernel(int* values) {
  GRADFLIP_SHARED(int, tile, [32]);
  const unsigned t = threadIdx.x;
  tile[t] = values[t];
  if (t < 16) {
    __syncwarp(0x0000ffff);
    values[t] = tile[15 - t];
  } else {
    __syncwarp(0xffff0000);
    values[t] = 100 + tile[47 - t];
  }
}

TEST_P(BarriersTest, PartsOfAWarpMeetAmongThemselves) {
  std::vector<int> values(32);
  std::vector<int> expected(32);
  for (int t = 0; t < 32; ++t) values[t] = t;
  for (int t = 0; t < 32; ++t) expected[t] = t < 16 ? 15 - t : 100 + 47 - t;
  DeviceVector<int> x(values);
  launch(half_warps_kernel, 1, 32, 0, nullptr, x.data());
  EXPECT_EQ(x.read(), expected);
}

// The last block to arrive sums what the others left in memory.
__global__ void last_block_kernel(int* partial, unsigned* tickets, int* total) {
  partial[blockIdx.x] = static_cast<int>(blockIdx.x) + 1;
  __threadfence();
  const bool last = atomicAdd(tickets, 1U) == gridDim.x - 1;
  if (!last) return;
  int sum = 0;
  for (unsigned b = 0; b < gridDim.x; ++b) sum += partial[b];
  *total = sum;
}

TEST_P(BarriersTest, FencesAndTicketsOrderBlocks) {
  DeviceVector<int> partial(10);
  DeviceVector<unsigned> tickets(1, 0U);
  DeviceVector<int> total(1);
  launch(last_block_kernel, 10, 1, 0, nullptr, partial.data(), tickets.data(), total.data());
  EXPECT_EQ(total.read(), std::vector<int>{55});
}

}  // namespace
}  // namespace simt
