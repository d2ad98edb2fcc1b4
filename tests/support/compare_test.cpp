#include "tests/support/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace gradflip {
namespace {

using testing::HasSubstr;

TEST(CompareTest, MeasuresTheErrorByTheScale) {
  const std::vector<float> got = {1.0F, 100.5F};
  const std::vector<double> want = {1.0, 100.0};
  EXPECT_TRUE(all_close(got, want, std::vector<double>{1.0, 1000.0}, 1e-3));
  EXPECT_FALSE(all_close(got, want, std::vector<double>{1.0, 100.0}, 1e-3));
  EXPECT_TRUE(all_close(got, want, 6e-3));
  EXPECT_FALSE(all_close(got, want, 4e-3));
}

TEST(CompareTest, ZeroScaleWantsAZero) {
  EXPECT_TRUE(all_close(std::vector<float>{-0.0F}, std::vector<double>{0.0}, kElementwise));
  EXPECT_FALSE(all_close(std::vector<float>{2e-38F}, std::vector<double>{0.0}, kElementwise));
  // What f32 cannot hold may become zero.
  EXPECT_TRUE(all_close(std::vector<float>{0.0F}, std::vector<double>{1e-100}, kElementwise));
}

TEST(CompareTest, WhatIsNotFiniteFails) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<double> scale = {std::numeric_limits<double>::infinity()};
  EXPECT_FALSE(all_close(std::vector<float>{nan}, std::vector<double>{1.0}, 1.0));
  EXPECT_FALSE(all_close(std::vector<float>{nan}, std::vector<double>{1.0}, scale, 1.0));
  EXPECT_FALSE(all_close(std::vector<float>{1.0F}, std::vector<double>{nan}, 1.0));
  EXPECT_FALSE(all_close(std::vector<float>{infinity}, std::vector<double>{1.0}, 1.0));
}

TEST(CompareTest, DifferentSizesFail) {
  EXPECT_FALSE(all_close(std::vector<float>{1.0F}, std::vector<double>{1.0, 1.0}, 1.0));
  EXPECT_FALSE(all_close(std::vector<float>{}, std::vector<double>{1.0}, 1.0));
  EXPECT_TRUE(all_close(std::vector<float>{}, std::vector<double>{}, 1.0));
}

TEST(CompareTest, NamesTheWorstElement) {
  const std::vector<float> got = {1.1F, 2.0F, 4.0F, 3.0F};
  const std::vector<double> want = {1.0, 2.0, 3.0, 3.0};
  const auto result = all_close(got, want, kElementwise);
  EXPECT_THAT(result.message(), HasSubstr("2 of 4 elements"));
  EXPECT_THAT(result.message(), HasSubstr("[2]: got 4, want 3"));
}

TEST(CompareTest, ANanIsTheWorstElement) {
  const std::vector<float> got = {9.0F, std::nanf(""), 99.0F};
  const auto result = all_close(got, std::vector<double>{1.0, 1.0, 1.0}, kElementwise);
  EXPECT_THAT(result.message(), HasSubstr("[1]: got nan"));
}

}  // namespace
}  // namespace gradflip
