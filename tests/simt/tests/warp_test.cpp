#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/cuda/simt.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using gradflip::launch;

constexpr unsigned kFull = 0xffffffffU;

class WarpTest : public EveryOrder {};
SIMT_IN_EVERY_ORDER(WarpTest);

enum class Shuffle { kIndexed, kUp, kDown, kXor };

template <typename T>
__global__ void shuffle_kernel(Shuffle shuffle, int operand, int width, T* values) {
  T& value = values[threadIdx.x];
  switch (shuffle) {
    case Shuffle::kIndexed:
      value = __shfl_sync(kFull, value, operand, width);
      break;
    case Shuffle::kUp:
      value = __shfl_up_sync(kFull, value, static_cast<unsigned>(operand), width);
      break;
    case Shuffle::kDown:
      value = __shfl_down_sync(kFull, value, static_cast<unsigned>(operand), width);
      break;
    case Shuffle::kXor:
      value = __shfl_xor_sync(kFull, value, operand, width);
  }
}

// From the definition: the segment of `width` lanes, and whether the source lies inside.
int source_lane(Shuffle shuffle, int lane, int operand, int width) {
  const int first = lane / width * width;
  const int last = first + width - 1;
  switch (shuffle) {
    case Shuffle::kIndexed:
      return first + operand % width;
    case Shuffle::kUp:
      return lane - operand < first ? lane : lane - operand;
    case Shuffle::kDown:
      return lane + operand > last ? lane : lane + operand;
    case Shuffle::kXor:
      return (lane ^ operand) > last ? lane : lane ^ operand;
  }
  return lane;
}

template <typename T>
void expect_shuffled(Shuffle shuffle, int operand, int width) {
  SCOPED_TRACE(testing::Message() << "operand " << operand << ", width " << width);
  std::vector<T> values(64);
  for (int t = 0; t < 64; ++t) values[t] = static_cast<T>(1000 + 7 * t);
  std::vector<T> expected(64);
  for (int t = 0; t < 64; ++t) {
    expected[t] = values[t / 32 * 32 + source_lane(shuffle, t % 32, operand, width)];
  }
  DeviceVector<T> x(values);
  launch(shuffle_kernel<T>, 1, 64, 0, nullptr, shuffle, operand, width, x.data());
  EXPECT_EQ(x.read(), expected);
}

TEST_P(WarpTest, ShufflesOfEveryKindAndWidth) {
  for (const Shuffle shuffle : {Shuffle::kIndexed, Shuffle::kUp, Shuffle::kDown, Shuffle::kXor}) {
    for (const int width : {2, 4, 8, 16, 32}) {
      for (const int operand : {0, 1, 3, 5, 16, 31}) {
        expect_shuffled<float>(shuffle, operand, width);
      }
    }
  }
}

TEST_P(WarpTest, ShufflesOfEveryType) {
  expect_shuffled<int>(Shuffle::kDown, 3, 32);
  expect_shuffled<unsigned>(Shuffle::kUp, 3, 32);
  expect_shuffled<double>(Shuffle::kXor, 9, 16);
  expect_shuffled<std::int64_t>(Shuffle::kIndexed, 4, 8);
  expect_shuffled<std::uint64_t>(Shuffle::kXor, 1, 32);
}

__global__ void half_sums_kernel(float* values) {
  const unsigned half = threadIdx.x < 16 ? 0x0000ffffU : 0xffff0000U;
  float sum = values[threadIdx.x];
  for (int distance = 8; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(half, sum, distance);
  }
  values[threadIdx.x] = sum;
}

TEST_P(WarpTest, ShufflesOfAPartOfTheWarp) {
  std::vector<float> values(32);
  for (int t = 0; t < 32; ++t) values[t] = static_cast<float>(t);
  DeviceVector<float> x(values);
  launch(half_sums_kernel, 1, 32, 0, nullptr, x.data());
  for (int t = 0; t < 32; ++t) values[t] = t < 16 ? 120.0F : 376.0F;
  EXPECT_EQ(x.read(), values);
}

struct Votes {
  unsigned ballot;
  int any, all;
};

__global__ void vote_kernel(unsigned mask, unsigned voters, Votes* votes) {
  const unsigned lane = threadIdx.x;
  if ((mask >> lane & 1U) == 0) return;
  const auto vote = static_cast<int>(voters >> lane & 1U);
  votes[lane] = {__ballot_sync(mask, vote), __any_sync(mask, vote), __all_sync(mask, vote)};
}

TEST_P(WarpTest, VotesCountTheLanesOfTheMask) {
  for (const unsigned mask : {kFull, 0x0f0f0f0fU, 1U << 31U}) {
    for (const unsigned voters : {0U, 1U, 0x0f0f0f0fU, 0x80000000U, kFull}) {
      DeviceVector<Votes> votes(32, Votes{});
      launch(vote_kernel, 1, 32, 0, nullptr, mask, voters, votes.data());
      const std::vector<Votes> got = votes.read();
      for (unsigned lane = 0; lane < 32; ++lane) {
        if ((mask >> lane & 1U) == 0) continue;
        EXPECT_EQ(got[lane].ballot, voters & mask);
        EXPECT_EQ(got[lane].any, (voters & mask) != 0);
        EXPECT_EQ(got[lane].all, (voters & mask) == mask);
      }
    }
  }
}

struct Reduced {
  unsigned sum, least, greatest, both, either, one;
  int signed_sum, signed_least, signed_greatest;
  unsigned same;
};

__global__ void reduce_kernel(const int* values, Reduced* results) {
  const int value = values[threadIdx.x];
  const auto bits = static_cast<unsigned>(value);
  results[threadIdx.x] = {__reduce_add_sync(kFull, bits),  __reduce_min_sync(kFull, bits),
                          __reduce_max_sync(kFull, bits),  __reduce_and_sync(kFull, bits),
                          __reduce_or_sync(kFull, bits),   __reduce_xor_sync(kFull, bits),
                          __reduce_add_sync(kFull, value), __reduce_min_sync(kFull, value),
                          __reduce_max_sync(kFull, value), __match_any_sync(kFull, value)};
}

TEST_P(WarpTest, ReductionsAndMatches) {
  std::vector<int> values(32);
  for (int t = 0; t < 32; ++t) values[t] = t % 4 == 0 ? -t : 3 * t % 17 + 1;
  DeviceVector<int> x(values);
  DeviceVector<Reduced> results(32);
  launch(reduce_kernel, 1, 32, 0, nullptr, x.data(), results.data());

  const auto fold = [&](auto first, const auto& combine) {
    for (const int value : values) first = combine(first, static_cast<decltype(first)>(value));
    return first;
  };
  for (const Reduced& r : results.read()) {
    EXPECT_EQ(r.sum, fold(0U, std::plus<>()));
    EXPECT_EQ(r.least, fold(kFull, [](unsigned a, unsigned b) { return a < b ? a : b; }));
    EXPECT_EQ(r.greatest, fold(0U, [](unsigned a, unsigned b) { return a > b ? a : b; }));
    EXPECT_EQ(r.both, fold(kFull, std::bit_and<>()));
    EXPECT_EQ(r.either, fold(0U, std::bit_or<>()));
    EXPECT_EQ(r.one, fold(0U, std::bit_xor<>()));
    EXPECT_EQ(r.signed_sum, fold(0, std::plus<>()));
    EXPECT_EQ(r.signed_least, -28);
    EXPECT_EQ(r.signed_greatest, 17);
  }
  const std::vector<Reduced> got = results.read();
  for (unsigned t = 0; t < 32; ++t) {
    for (unsigned other = 0; other < 32; ++other) {
      EXPECT_EQ(got[t].same >> other & 1U, values[t] == values[other]);
    }
  }
}

}  // namespace
}  // namespace simt
