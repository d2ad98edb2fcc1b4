#include "runtime/sharding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace gradflip {
namespace {

constexpr std::array<BatchCut, 6> kCuts{{{32, 16}, {32, 1}, {7, 4}, {4, 4}, {1, 16}, {1, 2}}};

TEST(ShardingTest, CutsEveryBatchIntoAllItsRows) {
  for (const BatchCut& cut : kCuts) {
    for (const std::int64_t images : {0, 1, 32, 33, 128, 512, 513, 5000}) {
      const Sharding sharding = sharding_of(images, cut);
      std::int64_t covered = 0;
      for (std::int64_t piece = 0; piece < sharding.pieces(); ++piece) {
        const SegmentRange range = piece_of(images, piece, sharding.pieces());
        EXPECT_EQ(range.begin, covered);
        EXPECT_LE(range.count, piece_capacity(images, 1, cut));
        covered += range.count;
      }
      EXPECT_EQ(covered, images);
      EXPECT_LE(sharding.shards, cut.max_shards);
    }
  }
}

// Of what was planned for at most (17, 16, 13) rows.
TEST(ShardingTest, APieceOfSeveralSegmentsFits) {
  for (const BatchCut& cut : kCuts) {
    for (std::int64_t rows = 0; rows < 18 * 17 * 14; ++rows) {
      const std::array<std::int64_t, 3> counts{rows % 18, rows / 18 % 17, rows / 18 / 17};
      const std::int64_t pieces = sharding_of(counts[0] + counts[1] + counts[2], cut).pieces();
      for (std::int64_t piece = 0; piece < pieces; ++piece) {
        const auto held = [&](std::size_t segment) {
          return piece_of(counts[segment], piece, pieces).count;
        };
        ASSERT_LE(held(0) + held(1) + held(2), piece_capacity(46, 3, cut));
        ASSERT_LE(held(0) + held(2), piece_capacity(30, 2, cut));
      }
    }
  }
}

constexpr std::int64_t kMega = 1000000;

TEST(ShardingTest, AsManyRowsAsFitACacheButNotMoreThanMostOrLessThanOne) {
  const auto rows = [](std::int64_t row_bytes, std::int64_t weight_bytes = 0) {
    const BatchCost cost{.rows = 64, .row_bytes = row_bytes, .weight_bytes = weight_bytes};
    return batch_cut(Cpu{}, cost).micro_batch_images;
  };
  EXPECT_EQ(rows(0), 32);
  EXPECT_EQ(rows(100), 32);
  EXPECT_EQ(rows(kPieceBytes / 32), 32);
  EXPECT_EQ(rows(kPieceBytes / 31), 31);
  EXPECT_EQ(rows(kPieceBytes / 2), 2);
  EXPECT_EQ(rows(10 * kMega), 1);
  // Where weights take more than a cache holds, a piece takes as much.
  EXPECT_EQ(rows(10 * kMega, 47 * kMega), 4);
  EXPECT_EQ(rows(10 * kMega, 240 * kMega), 24);
  EXPECT_EQ(rows(10 * kMega, 2400 * kMega), 32);
}

TEST(ShardingTest, SumsOfAllShardsStayBelowABoundOrAPartOfTheBatch) {
  const auto shards = [](std::int64_t sums_bytes, std::int64_t batch_bytes = 0) {
    const BatchCost cost{.rows = 64, .row_bytes = batch_bytes / 64, .sums_bytes = sums_bytes};
    return batch_cut(Cpu{}, cost).max_shards;
  };
  EXPECT_EQ(shards(0), 16);
  EXPECT_EQ(shards(16 * kMega), 16);
  EXPECT_EQ(shards(17 * kMega), 8);
  EXPECT_EQ(shards(102 * kMega), 2);
  EXPECT_EQ(shards(102 * kMega, 6400 * kMega), 8);
  EXPECT_EQ(shards(10000 * kMega), 2);
}

}  // namespace
}  // namespace gradflip
