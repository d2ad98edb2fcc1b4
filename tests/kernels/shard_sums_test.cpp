#include "kernels/shard_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

// Neighbours meet, then neighbours of those: the tree, row by row.
std::vector<float> tree_of(std::vector<std::vector<float>> rows) {
  for (std::size_t step = 1; step < rows.size(); step *= 2) {
    for (std::size_t row = 0; row + step < rows.size(); row += 2 * step) {
      for (std::size_t i = 0; i < rows[row].size(); ++i) rows[row][i] += rows[row + step][i];
    }
  }
  return rows[0];
}

// A GPU's batches are whole.
template <typename Ctx>
class AddShardsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(AddShardsTest, testing::Types<Cpu>, BackendNames);

TYPED_TEST(AddShardsTest, AddsUpTheTreeBitForBit) {
  for_each_simd_target<Cpu>([] {
    for (std::int64_t rows = 1; rows <= kMaxShardRows; ++rows) {
      for (const std::int64_t size : {0, 1, 3, 15, 16, 17, 50}) {
        SCOPED_TRACE(testing::Message() << rows << " rows of " << size);
        const std::int64_t stride = size + 5;
        const std::vector<float> x = random_floats(rows * stride, 1);
        std::vector<std::vector<float>> parts;
        for (std::int64_t row = 0; row < rows; ++row) {
          parts.emplace_back(x.begin() + row * stride, x.begin() + row * stride + size);
        }
        std::vector<float> y(static_cast<std::size_t>(size) + 1, -7.0F);
        EXPECT_EQ(add_shards(Cpu{}, rows, stride, size, x.data(), y.data()), size);
        EXPECT_EQ(y.back(), -7.0F);
        y.pop_back();
        EXPECT_EQ(y, tree_of(parts));
      }
    }
  });
}

TYPED_TEST(AddShardsTest, MayGoWhereTheFirstRowIs) {
  std::vector<float> x = random_floats(3 * 21, 2);
  const std::vector<float> want = tree_of(
      {{x.begin(), x.begin() + 21}, {x.begin() + 21, x.begin() + 42}, {x.begin() + 42, x.end()}});
  add_shards(Cpu{}, 3, 21, 21, x.data(), x.data());
  x.resize(21);
  EXPECT_EQ(x, want);
}

TYPED_TEST(AddShardsTest, FindsTheFirstSumThatIsNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kLargest = std::numeric_limits<float>::max();
  for_each_simd_target<Cpu>([] {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
      for (const std::int64_t place : {0, 7, 15, 16, 37, 39}) {
        std::vector<float> x = random_floats(4 * 40, 3), y(40);
        x[static_cast<std::size_t>(2 * 40 + place)] = bad;
        EXPECT_EQ(add_shards(Cpu{}, 4, 40, 40, x.data(), y.data()), place);
        x[39] = bad;  // a later one changes nothing
        EXPECT_EQ(add_shards(Cpu{}, 4, 40, 40, x.data(), y.data()), place);
      }
    }
    // Parts that are finite, a sum that is not.
    const std::vector<float> x{1.0F, kLargest, 2.0F, kLargest};
    std::vector<float> y(2);
    EXPECT_EQ(add_shards(Cpu{}, 2, 2, 2, x.data(), y.data()), 1);
  });
}

TYPED_TEST(AddShardsTest, RejectsWhatDoesNotFit) {
  std::vector<float> x(4);
  EXPECT_THROW(add_shards(Cpu{}, 0, 1, 1, x.data(), x.data()), std::invalid_argument);
  EXPECT_THROW(add_shards(Cpu{}, kMaxShardRows + 1, 0, 1, x.data(), x.data()),
               std::invalid_argument);
  EXPECT_THROW(add_shards(Cpu{}, 1, 1, -1, x.data(), x.data()), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
