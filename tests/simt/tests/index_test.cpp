#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using gradflip::launch;

class IndexTest : public EveryOrder {};
SIMT_IN_EVERY_ORDER(IndexTest);

struct Place {
  uint3 block, thread;
  uint3 block_extents, grid_extents;
};

__global__ void places_kernel(Place* places) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  places[block * (blockDim.x * blockDim.y * blockDim.z) + thread] =
      Place{blockIdx, threadIdx, blockDim, gridDim};
}

bool same(uint3 a, uint3 b) { return a.x == b.x && a.y == b.y && a.z == b.z; }

TEST_P(IndexTest, EveryThreadKnowsItsPlace) {
  const dim3 grid(3, 2, 2);
  const dim3 block(5, 4, 3);
  DeviceVector<Place> places(12 * 60);
  launch(places_kernel, grid, block, 0, nullptr, places.data());
  const std::vector<Place> got = places.read();
  for (unsigned b = 0; b < 12; ++b) {
    for (unsigned t = 0; t < 60; ++t) {
      const Place& place = got[b * 60 + t];
      ASSERT_TRUE(same(place.block, uint3{b % 3, b / 3 % 2, b / 6}));
      ASSERT_TRUE(same(place.thread, uint3{t % 5, t / 5 % 4, t / 20}));
      ASSERT_TRUE(same(place.block_extents, block) && same(place.grid_extents, grid));
    }
  }
}

__global__ void grid_stride_kernel(std::int64_t size, int* visits) {
  for (std::int64_t i = gradflip::global_thread(); i < size; i += gradflip::global_threads()) {
    ++visits[i];
  }
}

TEST_P(IndexTest, GridStrideLoopsVisitEachElementOnce) {
  for (const std::size_t size : {1U, 31U, 256U, 257U, 5000U}) {
    DeviceVector<int> visits(size, 0);
    launch(grid_stride_kernel, 3, 64, 0, nullptr, static_cast<std::int64_t>(size), visits.data());
    EXPECT_EQ(visits.read(), std::vector<int>(size, 1));
  }
}

// Notes in which order threads reach this point.
__global__ void arrival_kernel(unsigned* count, int* order) {
  order[atomicAdd(count, 1U)] = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

std::vector<int> arrival(Order order, std::uint64_t seed) {
  config().order = order;
  config().seed = seed;
  DeviceVector<unsigned> count(1, 0U);
  DeviceVector<int> arrived(4 * 8);
  launch(arrival_kernel, 4, 8, 0, nullptr, count.data(), arrived.data());
  return arrived.read();
}

class OrderTest : public EmulatorTest {};

TEST_F(OrderTest, AscendingAndDescendingAreExact) {
  std::vector<int> expected(32);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(arrival(Order::kAscending, 1), expected);
  std::reverse(expected.begin(), expected.end());
  EXPECT_EQ(arrival(Order::kDescending, 1), expected);
}

TEST_F(OrderTest, RandomShufflesBlocksAndThreadsBySeed) {
  const std::vector<int> one = arrival(Order::kRandom, 1);
  EXPECT_EQ(one, arrival(Order::kRandom, 1));
  EXPECT_NE(one, arrival(Order::kRandom, 2));
  EXPECT_NE(one, arrival(Order::kAscending, 1));
  EXPECT_EQ(std::set<int>(one.begin(), one.end()).size(), 32U);
}

}  // namespace
}  // namespace simt
