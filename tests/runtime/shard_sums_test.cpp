#include "runtime/shard_sums.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

#include "tests/support/random_data.h"

namespace gradflip {
namespace {

TEST(ChunksTest, NeighboursAreCutAsOne) {
  std::vector<float> totals(256);
  // 20 floats take 32: the next one follows. In another order than they lie in.
  const std::vector<ShardSum> chunks =
      chunks_of({{.offset = 128, .size = 100, .total = totals.data() + 32, .gradient = true},
                 {.offset = 0, .size = 20, .total = totals.data(), .gradient = true}},
                64);
  ASSERT_EQ(chunks.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(chunks[i].offset, static_cast<std::int64_t>(i) * 64 * 4);
    EXPECT_EQ(chunks[i].total, totals.data() + i * 64);
    EXPECT_EQ(chunks[i].size, i < 2 ? 64 : 4);
    EXPECT_TRUE(chunks[i].gradient);
  }
}

TEST(ChunksTest, OthersAreNot) {
  std::vector<float> totals(256);
  float* const t = totals.data();
  const auto pieces = [](const ShardSum& first, const ShardSum& second) {
    return chunks_of({first, second}, 1000).size();
  };
  const ShardSum first{.offset = 0, .size = 16, .total = t};
  EXPECT_EQ(pieces(first, {.offset = 64, .size = 16, .total = t + 16}), 1U);
  EXPECT_EQ(pieces(first, {.offset = 128, .size = 16, .total = t + 16}), 2U);
  EXPECT_EQ(pieces(first, {.offset = 64, .size = 16, .total = t + 32}), 2U);
  EXPECT_EQ(pieces(first, {.offset = 64, .size = 16, .total = t + 16, .gradient = true}), 2U);
}

class ShardSumsTest : public testing::Test {
 protected:
  static constexpr std::int64_t kSize = 1000, kShards = 3;

  void fill() {
    for (std::int64_t shard = 0; shard < kShards; ++shard) {
      const std::vector<float> part = random_floats(kSize, static_cast<std::uint64_t>(shard));
      std::memcpy(sums_.part(shard, 0), part.data(), kSize * sizeof(float));
    }
  }
  void spoil(std::int64_t shard, std::int64_t element) {
    reinterpret_cast<float*>(sums_.part(shard, 0))[element] =
        std::numeric_limits<float>::quiet_NaN();
  }
  void add_up(int threads, bool gradient = true) {
    Workers workers(threads);
    const GradientWatch watch{&state_, totals_.data()};
    sums_.add_up(chunks_of({{.size = kSize, .total = totals_.data(), .gradient = gradient}}, 64),
                 kShards, watch, workers, nullptr);
  }

  ShardSums sums_{Cpu{}, kSize * 4, kShards};
  std::vector<float> totals_ = std::vector<float>(kSize);
  StepState state_;
};

TEST_F(ShardSumsTest, AddsUpWithAnyNumberOfThreads) {
  fill();
  add_up(1);
  const std::vector<float> want = totals_;
  const auto part = [&](std::int64_t shard) {
    return reinterpret_cast<const float*>(sums_.part(shard, 0))[999];
  };
  EXPECT_EQ(want[999], part(0) + part(1) + part(2));
  for (const int threads : {2, 5}) {
    totals_.assign(kSize, 0.0F);
    add_up(threads);
    EXPECT_EQ(totals_, want);
  }
  EXPECT_EQ(state_.first_non_finite, StepState::kAllFinite);
}

TEST_F(ShardSumsTest, ReportsTheFirstGradientThatIsNotFinite) {
  for (const int threads : {1, 4}) {
    fill();
    for (const std::int64_t element : {777, 130, 200}) spoil(1, element);
    add_up(threads);
    EXPECT_EQ(state_.first_non_finite, 130U);
    state_.first_non_finite = 5;  // an earlier one stays
    add_up(threads);
    EXPECT_EQ(state_.first_non_finite, 5U);
    state_ = {};
  }
}

TEST_F(ShardSumsTest, ReportsNothingElse) {
  fill();
  spoil(0, 3);
  add_up(2, /*gradient=*/false);
  EXPECT_EQ(state_.first_non_finite, StepState::kAllFinite);
}

}  // namespace
}  // namespace gradflip
