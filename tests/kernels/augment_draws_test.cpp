// How often operations apply, and what their numbers depend on.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "kernels/augment/draws.h"
#include "tests/support/augment_programs.h"
#include "tests/support/reference/augment.h"

namespace gradflip {
namespace {

using Kind = AugmentKind;

constexpr int kDrawnRows = 20'000;

std::vector<DrawnAugment> drawn_of(const AugmentProgram& program, const AugmentDraws& draws,
                                   std::int64_t step, std::int64_t row) {
  std::vector<DrawnAugment> all;
  AugmentSequence sequence(program, augment_key(draws, step, row));
  for (DrawnAugment drawn; sequence.next(drawn);) all.push_back(drawn);
  return all;
}

// Five standard errors of a binomial share.
double bound(double p, int trials = kDrawnRows) { return 5.0 * std::sqrt(p * (1.0 - p) / trials); }

TEST(AugmentDrawsTest, AnOperationAppliesWithItsProbability) {
  for (const double p : {0.0, 0.1, 0.5, 0.9, 1.0}) {
    const auto program = program_of({augment_operation(
        Kind::kInvert, 0, 0, static_cast<std::int32_t>(std::lround(p * kAlwaysAugment)))});
    int applied = 0;
    for (int row = 0; row < kDrawnRows; ++row) {
      applied += drawn_of(program, {.seed = 3}, 1, row).empty() ? 0 : 1;
    }
    EXPECT_LE(std::abs(static_cast<double>(applied) / kDrawnRows - p), bound(p) + 1e-9) << p;
  }
}

TEST(AugmentDrawsTest, OperationsApplyIndependently) {
  const auto half = augment_operation(Kind::kInvert, 0, 0, kAlwaysAugment / 2);
  const auto program = program_of({half, half});
  std::map<std::vector<std::int32_t>, int> counts;
  for (int row = 0; row < kDrawnRows; ++row) {
    std::vector<std::int32_t> places;
    for (const DrawnAugment& drawn : drawn_of(program, {.seed = 4}, 9, row)) {
      places.push_back(drawn.place);
    }
    ++counts[places];
  }
  ASSERT_EQ(counts.size(), 4);
  for (const auto& [places, count] : counts) {
    EXPECT_LE(std::abs(static_cast<double>(count) / kDrawnRows - 0.25), bound(0.25));
  }
}

// Every ordered pair of distinct members is equally likely, and what stands outside stays.
TEST(AugmentDrawsTest, AGroupChoosesDistinctMembersUniformly) {
  std::vector<AugmentOperation> operations = {augment_operation(Kind::kShift, 1, 1),
                                              augment_group(2, 5)};
  for (int member = 0; member < 5; ++member) {
    operations.push_back(augment_operation(Kind::kPosterize, 1, 1));
  }
  operations.push_back(augment_operation(Kind::kCutout, 3, 3));
  const auto program = program_of(operations);
  std::map<std::pair<int, int>, int> counts;
  for (int row = 0; row < kDrawnRows; ++row) {
    const auto all = drawn_of(program, {.seed = 5, .stream = 1}, 2, row);
    ASSERT_EQ(all.size(), 4);
    EXPECT_EQ(all.front().place, 0);
    EXPECT_EQ(all.back().place, 7);
    ++counts[{all[1].place, all[2].place}];
  }
  ASSERT_EQ(counts.size(), 20);
  for (const auto& [pair, count] : counts) {
    EXPECT_NE(pair.first, pair.second);
    EXPECT_LE(std::abs(static_cast<double>(count) / kDrawnRows - 0.05), bound(0.05));
  }
}

TEST(AugmentDrawsTest, AWholeGroupIsAPermutation) {
  std::vector<AugmentOperation> operations = {augment_group(16, 16)};
  for (const AugmentOperation& operation : augment_kinds()) operations.push_back(operation);
  const auto program = program_of(operations);
  for (int row = 0; row < 100; ++row) {
    std::set<std::int32_t> places;
    for (const DrawnAugment& drawn : drawn_of(program, {.seed = 6}, 0, row)) {
      places.insert(drawn.place);
    }
    EXPECT_EQ(places.size(), 16);
  }
}

TEST(AugmentDrawsTest, NumbersCoverTheirRangeUniformly) {
  const auto program = program_of({augment_operation(Kind::kShift, -3, 3)});
  std::map<std::pair<int, int>, int> counts;
  for (int row = 0; row < kDrawnRows; ++row) {
    const auto all = drawn_of(program, {.seed = 7}, 3, row);
    ++counts[{all.at(0).number, all.at(0).second}];
  }
  ASSERT_EQ(counts.size(), 49);
  for (const auto& [pair, count] : counts) {
    EXPECT_LE(std::abs(static_cast<double>(count) / kDrawnRows - 1.0 / 49.0), bound(1.0 / 49.0));
  }
}

TEST(AugmentDrawsTest, SeedStreamViewStepAndRowEachChangeTheNumbers) {
  const std::set<PhiloxKey> keys = {
      augment_key({.seed = 1}, 5, 7),
      augment_key({.seed = 2}, 5, 7),
      augment_key({.seed = 1 + (std::uint64_t{1} << 32U)}, 5, 7),
      augment_key({.seed = 1, .stream = 1}, 5, 7),
      augment_key({.seed = 1, .view = 1}, 5, 7),
      augment_key({.seed = 1}, 6, 7),
      augment_key({.seed = 1}, 5 + (std::int64_t{1} << 32), 7),
      augment_key({.seed = 1}, 5, 8),
  };
  EXPECT_EQ(keys.size(), 8);
}

TEST(AugmentDrawsTest, TheReferenceDrawsTheSamePlaces) {
  const auto program = strong_augmentation();
  for (int row = 0; row < 500; ++row) {
    std::vector<std::int32_t> places;
    for (const DrawnAugment& drawn : drawn_of(program, {.seed = 8}, 1, row)) {
      places.push_back(drawn.place);
    }
    EXPECT_EQ(places, reference::applied(program, {.seed = 8}, 1, row));
  }
}

}  // namespace
}  // namespace gradflip
