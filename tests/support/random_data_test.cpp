#include "tests/support/random_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace gradflip {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::Lt;

TEST(RandomDataTest, DependsOnTheSeedOnly) {
  EXPECT_EQ(random_floats(100, 1), random_floats(100, 1));
  EXPECT_NE(random_floats(100, 1), random_floats(100, 2));
  EXPECT_TRUE(random_floats(0, 1).empty());
}

TEST(RandomDataTest, StaysInRange) {
  EXPECT_THAT(random_floats(10000, 3), Each(AllOf(Ge(-1.0F), Lt(1.0F))));
  const std::vector<std::int32_t> labels = random_labels(10000, 7, 3);
  for (std::int32_t label = 0; label < 7; ++label) {
    const auto count = static_cast<double>(std::count(labels.begin(), labels.end(), label));
    EXPECT_NEAR(count, 10000.0 / 7.0, 200.0);
  }
  EXPECT_THAT(labels, Each(AllOf(Ge(0), Lt(7))));
}

TEST(RandomDataTest, SeparatedFloatsStayApart) {
  for (const std::int64_t size : {0, 1, 2, 3, 10, 99, 1000}) {
    std::vector<float> values = separated_floats(size, 4);
    ASSERT_EQ(values.size(), static_cast<std::size_t>(size));
    std::sort(values.begin(), values.end());
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_LT(std::abs(values[i]), 1.0F);
      EXPECT_GT(std::abs(values[i]), 0.499 / static_cast<double>(size + 1));
      if (i > 0) {
        EXPECT_GT(values[i] - values[i - 1], 0.999 / static_cast<double>(size));
      }
    }
  }
}

}  // namespace
}  // namespace gradflip
