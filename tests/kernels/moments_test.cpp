#include "kernels/moments.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/kernels/batch_norm_cases.h"
#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr float kEpsilon = 1e-5F;

template <typename Ctx>
class MomentsTest : public BackendTest<Ctx> {
 protected:
  // (groups, kMoments, C) of these values.
  std::vector<float> moments_of(const NormSize& size, const std::vector<float>& x) {
    const std::int64_t rows = size.groups.rows();
    const auto input = this->upload(x, Base::kOffByOne);
    auto of_rows = this->poisoned(rows * 2 * size.C);
    row_moments(this->ctx(), rows, size.pixels, size.C, input.data(), of_rows.data());
    auto moments = this->poisoned(size.groups.groups * kMoments * size.C);
    combine_moments(this->ctx(), size.groups, size.pixels, size.C, kEpsilon, of_rows.data(),
                    moments.data());
    return moments.read();
  }
};
TYPED_TEST_SUITE(MomentsTest, Backends, BackendNames);

std::vector<float> part(const std::vector<float>& moments, const NormSize& size, int which) {
  std::vector<float> values;
  for (int group = 0; group < size.groups.groups; ++group) {
    const auto begin = moments.begin() + (group * kMoments + which) * size.C;
    values.insert(values.end(), begin, begin + size.C);
  }
  return values;
}

TYPED_TEST(MomentsTest, MatchesReference) {
  for_each_simd_target<TypeParam>([&] {
    for (const NormSize& size : norm_sizes()) {
      SCOPED_TRACE(testing::Message() << size.pixels << " x " << size.C);
      const reference::BatchNormCase norm = reference_case(size.groups, size.pixels, size.C);
      const std::vector<float> x = random_floats(norm.size(), 1);
      const std::vector<float> got = this->moments_of(size, x);
      const reference::Moments want = reference::moments(norm, widen(x));
      const std::vector<double> ones(want.mean.size(), 1.0);
      EXPECT_TRUE(all_close(part(got, size, 0), want.mean, ones, kSum));
      EXPECT_TRUE(all_close(part(got, size, 1), want.variance, ones, kSum));
      std::vector<double> inverse;
      for (const double variance : want.variance) {
        inverse.push_back(1.0 / std::sqrt(variance + kEpsilon));
      }
      EXPECT_TRUE(all_close(part(got, size, 2), inverse, kSum));
    }
  });
}

// Sums of squares of values of 1e3 would keep no digit of a variance of 1.
TYPED_TEST(MomentsTest, AMeanOfAThousandCostsNothing) {
  const NormSize size{row_groups(2, {{8, 0}, {8, 1}}), 49, 20};
  const reference::BatchNormCase norm = reference_case(size.groups, size.pixels, size.C);
  std::vector<float> x = random_floats(norm.size(), 2);
  for (float& value : x) value = 1e3F + 1.7F * value;
  const std::vector<float> got = this->moments_of(size, x);
  const reference::Moments want = reference::moments(norm, widen(x));
  EXPECT_TRUE(all_close(part(got, size, 0), want.mean, 1e-7));
  // x itself is rounded to 6e-5.
  EXPECT_TRUE(all_close(part(got, size, 1), want.variance, 1e-4));
}

TYPED_TEST(MomentsTest, EqualValuesHaveNoVariance) {
  const NormSize size{RowGroups::one(3), 5, 18};
  const std::vector<float> got = this->moments_of(size, std::vector<float>(3 * 5 * 18, 0.1F));
  EXPECT_EQ(part(got, size, 0), std::vector<float>(18, 0.1F));
  EXPECT_EQ(part(got, size, 1), std::vector<float>(18, 0.0F));
}

// And no other channel or group.
TYPED_TEST(MomentsTest, ANanIsThatOfItsChannelAndGroup) {
  const NormSize size{row_groups(2, {{2, 0}, {3, 1}}), 6, 19};
  std::vector<float> x = random_floats(5 * 6 * 19, 3);
  x[(2 * 6 + 4) * 19 + 7] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> got = this->moments_of(size, x);
  for (int group = 0; group < 2; ++group) {
    for (std::int64_t c = 0; c < 19; ++c) {
      const bool hit = group == 1 && c == 7;
      for (int which = 0; which < kMoments; ++which) {
        EXPECT_EQ(std::isnan(got[(group * kMoments + which) * 19 + c]), hit) << group << ' ' << c;
      }
    }
  }
}

TYPED_TEST(MomentsTest, ARowDoesNotDependOnTheRowsBesideIt) {
  const std::vector<float> x = random_floats(3 * 10 * 21, 4);
  const auto input = this->upload(x);
  auto together = this->poisoned(3 * 2 * 21);
  row_moments(this->ctx(), 3, 10, 21, input.data(), together.data());
  auto alone = this->poisoned(2 * 21);
  row_moments(this->ctx(), 1, 10, 21, input.data() + 2 * 10 * 21, alone.data());
  const std::vector<float> all = together.read();
  EXPECT_EQ(alone.read(), std::vector<float>(all.begin() + 2 * 2 * 21, all.end()));
}

TYPED_TEST(MomentsTest, KnownMomentsAreThemselves) {
  const std::vector<float> mean = random_floats(37, 5);
  std::vector<float> variance = random_floats(37, 6);
  for (float& value : variance) value = std::abs(value);
  const auto means = this->upload(mean), variances = this->upload(variance);
  auto moments = this->poisoned(kMoments * 37);
  known_moments(this->ctx(), 37, kEpsilon, means.data(), variances.data(), moments.data());
  const NormSize size{RowGroups::one(0), 1, 37};
  const std::vector<float> got = moments.read();
  EXPECT_EQ(part(got, size, 0), mean);
  EXPECT_EQ(part(got, size, 1), variance);
  std::vector<double> inverse;
  for (const float value : variance) inverse.push_back(1.0 / std::sqrt(value + double{kEpsilon}));
  EXPECT_TRUE(all_close(part(got, size, 2), inverse, kElementwise));
}

TYPED_TEST(MomentsTest, RunningStatisticsAreFoldedInOrder) {
  const std::vector<float> first = random_floats(kMoments * 5, 7);
  const std::vector<float> second = random_floats(kMoments * 5, 8);
  const std::vector<float> wide = random_floats(kMoments * 300, 9);
  const std::vector<float> old_mean = random_floats(5, 10), old_variance = random_floats(5, 11);
  const auto a = this->upload(first), b = this->upload(second), c = this->upload(wide);
  auto mean = this->upload(old_mean), variance = this->upload(old_variance);
  auto wide_mean = this->upload(std::vector<float>(300, 0.0F));
  auto wide_variance = this->upload(std::vector<float>(300, 1.0F));
  const RunningMoments list[] = {
      {a.data(), mean.data(), variance.data(), 5, 1.25F, 0.2F},
      {c.data(), wide_mean.data(), wide_variance.data(), 300, 1.0F, 0.2F},
      {b.data(), mean.data(), variance.data(), 5, 2.0F, 0.2F}};
  update_running(this->ctx(), list, Scale{0.5F}, nullptr);
  const auto fold = [](double running, double moment) {
    return running + 0.1 * (moment - running);
  };
  std::vector<double> want_mean, want_variance;
  for (int i = 0; i < 5; ++i) {
    want_mean.push_back(fold(fold(old_mean[i], first[i]), second[i]));
    want_variance.push_back(fold(fold(old_variance[i], 1.25 * first[5 + i]), 2.0 * second[5 + i]));
  }
  const std::vector<double> ones(5, 1.0);
  EXPECT_TRUE(all_close(mean.read(), want_mean, ones, kElementwise));
  EXPECT_TRUE(all_close(variance.read(), want_variance, ones, kElementwise));
  EXPECT_FLOAT_EQ(wide_mean.read()[299], 0.1F * wide[299]);
  EXPECT_FLOAT_EQ(wide_variance.read()[299], 1.0F + 0.1F * (wide[599] - 1.0F));
}

TYPED_TEST(MomentsTest, NothingIsFoldedWhereTrainingIsFrozen) {
  const auto moments = this->upload(random_floats(kMoments * 4, 12));
  const std::vector<float> old = random_floats(4, 13);
  auto mean = this->upload(old), variance = this->upload(old);
  const auto frozen = this->upload(std::vector<std::int32_t>{1});
  const RunningMoments list[] = {{moments.data(), mean.data(), variance.data(), 4, 1.0F}};
  update_running(this->ctx(), list, Scale{0.5F}, frozen.data());
  EXPECT_EQ(mean.read(), old);
  EXPECT_EQ(variance.read(), old);
}

TYPED_TEST(MomentsTest, RefusesWhatHasNoMoments) {
  EXPECT_THROW(row_moments(this->ctx(), 1, 0, 3, nullptr, nullptr), std::invalid_argument);
  EXPECT_THROW(combine_moments(this->ctx(), RowGroups::one(-1), 1, 1, kEpsilon, nullptr, nullptr),
               std::invalid_argument);
  EXPECT_THROW(
      combine_moments(this->ctx(), row_groups(1, {{1, 1}}), 1, 1, kEpsilon, nullptr, nullptr),
      std::invalid_argument);
  const std::vector<RunningMoments> many(kMaxRunningMoments + 1);
  EXPECT_THROW(update_running(this->ctx(), many, {}, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
