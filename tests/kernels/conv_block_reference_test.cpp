// The reference of conv_block is a composition of references; here its backward is checked against
// central differences, and its winners by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/conv_block.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr ConvBlockShape kShape = {
    .conv = {.N = 2, .H = 7, .W = 8, .C = 2, .K = 3, .R = 2, .S = 3, .pad_h = 1, .pad_w = 1},
    .pool_h = 2,
    .pool_w = 3};

TEST(ConvBlockReferenceTest, BackwardIsTheDerivative) {
  const std::vector<double> x = widen(random_floats(2 * 7 * 8 * 2, 1));
  const std::vector<double> filter = widen(random_floats(2 * 3 * 2 * 3, 2));
  const std::vector<double> bias = widen(random_floats(3, 3));
  const auto forward = reference::conv_block_forward(kShape, x, filter, bias);
  // No kink within reach of the step.
  for (const double margin : forward.margin) ASSERT_GT(margin, 1e-3);
  const std::vector<double> dpooled =
      widen(random_floats(static_cast<std::int64_t>(forward.winner.size()), 4));

  const auto of_x = [&](const std::vector<double>& changed) {
    return reference::conv_block_forward(kShape, changed, filter, bias).pooled.value;
  };
  const auto of_filter = [&](const std::vector<double>& changed) {
    return reference::conv_block_forward(kShape, x, changed, bias).pooled.value;
  };
  const auto of_bias = [&](const std::vector<double>& changed) {
    return reference::conv_block_forward(kShape, x, filter, changed).pooled.value;
  };
  const auto dx = reference::conv_block_backward_data(kShape, dpooled, forward.winner, filter);
  const auto gradient = reference::conv_block_backward_filter(kShape, x, dpooled, forward.winner);
  EXPECT_TRUE(gradients_match(dx.value, central_differences(of_x, x, dpooled)));
  EXPECT_TRUE(
      gradients_match(gradient.dfilter.value, central_differences(of_filter, filter, dpooled)));
  EXPECT_TRUE(gradients_match(gradient.dbias.value, central_differences(of_bias, bias, dpooled)));
}

TEST(ConvBlockReferenceTest, WinnersByHand) {
  constexpr ConvBlockShape kPool = {
      .conv = {.N = 1, .H = 3, .W = 9, .C = 1, .K = 1, .R = 1, .S = 1}, .pool_h = 2, .pool_w = 2};
  const double nan = std::nan("");
  const std::vector<double> x = {1,  3, -1, -2, 2, 2, 9, nan, 7,  //
                                 2,  0, -3, -9, 2, 2, 9, nan, 7,  //
                                 50, 0, 0,  0,  0, 0, 0, 0,   0};
  const auto output = reference::conv_block_forward(kPool, x, {1.0}, {0.5});
  EXPECT_EQ(output.winner, (std::vector<std::uint8_t>{1, kDeadWinner, 0, 1}));
  EXPECT_EQ(output.pooled.value[0], 3.5);
  EXPECT_EQ(output.pooled.value[1], 0.0);
  EXPECT_EQ(output.pooled.value[2], 2.5);
  EXPECT_TRUE(std::isnan(output.pooled.value[3]));
  EXPECT_EQ(output.margin[0], 1.0);  // to 2.5
  EXPECT_EQ(output.margin[1], 0.5);  // -0.5 to 0
  EXPECT_EQ(output.margin[2], 0.0);
}

TEST(ConvBlockReferenceTest, WinnersMatchComparesClearPlacesOnly) {
  constexpr ConvBlockShape kPool = {
      .conv = {.N = 1, .H = 2, .W = 4, .C = 1, .K = 1, .R = 1, .S = 1}, .pool_h = 2, .pool_w = 2};
  auto want = reference::conv_block_forward(kPool, {1, 2, 3, 4, 5, 6, 7, 8}, {1.0}, {0.0});
  using Winners = std::vector<std::uint8_t>;
  EXPECT_TRUE(winners_match(Winners{3, 3}, want, kPool, 1e-5));
  EXPECT_FALSE(winners_match(Winners{3, 2}, want, kPool, 1e-5));
  EXPECT_FALSE(winners_match(Winners{3}, want, kPool, 1e-5));
  want.margin[1] = 0.0;
  EXPECT_FALSE(winners_match(Winners{3, 3}, want, kPool, 1e-5)) << "half of the places are unclear";
  want.margin.resize(20, 1.0);
  want.winner.resize(20, 3);
  want.pooled.scale.resize(20, 1.0);
  Winners got(20, 3);
  got[1] = 2;
  EXPECT_TRUE(winners_match(got, want, kPool, 1e-5));
  got[1] = 4;
  EXPECT_FALSE(winners_match(got, want, kPool, 1e-5)) << "no such place in the window";
}

}  // namespace
}  // namespace gradflip
