#include "runtime/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace gradflip {
namespace {

constexpr std::uint64_t kSeed = 0x0123456789ABCDEFU;

std::vector<float> first_numbers(std::uint64_t seed, std::uint32_t stream, std::uint64_t count) {
  std::vector<float> numbers;
  for (std::uint64_t index = 0; index < count; ++index) {
    numbers.push_back(uniform01(seed, stream, index));
  }
  return numbers;
}

// Saved weights and published figures depend on these bits.
TEST(RandomTest, KnownBits) {
  struct Case {
    std::uint64_t seed;
    std::uint32_t stream;
    std::uint64_t index;
    std::uint32_t bits;
  };
  constexpr std::array<Case, 6> kCases = {{
      {0, 0, 0, 0x8E394E87U},
      {0, 0, 1, 0xB63925FBU},
      {kSeed, 0, 0, 0x3BF8F752U},
      {kSeed, 3, 5, 0x2468C37FU},
      {kSeed, 3, (std::uint64_t{1} << 34U) + 5, 0xCBD47E7AU},
      {~std::uint64_t{0}, ~std::uint32_t{0}, ~std::uint64_t{0}, 0x17CB25F2U},
  }};
  for (const Case& known : kCases) {
    EXPECT_EQ(random_bits(known.seed, known.stream, known.index), known.bits)
        << known.seed << ' ' << known.stream << ' ' << known.index;
  }
}

// Test vectors of the hash's authors.
TEST(RandomTest, AStreamIsItsNamesHash) {
  EXPECT_EQ(stream_of(""), 0x811C9DC5U);
  EXPECT_EQ(stream_of("a"), 0xE40C292CU);
  EXPECT_EQ(stream_of("foobar"), 0xBF9CF968U);
}

TEST(RandomTest, FloatsAreTheUpperBits) {
  for (std::uint64_t index = 0; index < 1000; ++index) {
    const float number = uniform01(kSeed, 1, index);
    EXPECT_EQ(static_cast<double>(number) * 16777216.0, random_bits(kSeed, 1, index) >> 8U);
  }
}

TEST(RandomTest, RangeMeanAndVariance) {
  constexpr std::uint64_t kCount = 100000;
  const std::vector<float> numbers = first_numbers(kSeed, 0, kCount);
  double sum = 0.0;
  double squares = 0.0;
  std::array<int, 16> histogram{};
  for (const float number : numbers) {
    ASSERT_GE(number, 0.0F);
    ASSERT_LT(number, 1.0F);
    sum += number;
    squares += (number - 0.5) * (number - 0.5);
    ++histogram[static_cast<std::size_t>(number * 16.0F)];
  }
  // Five standard errors of each.
  EXPECT_NEAR(sum / kCount, 0.5, 5.0 * std::sqrt(1.0 / 12.0 / kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 12.0, 5.0 * std::sqrt(1.0 / 180.0 / kCount));
  for (const int count : histogram) {
    EXPECT_NEAR(count, kCount / 16.0, 5.0 * std::sqrt(kCount / 16.0));
  }
}

TEST(RandomTest, SeedsStreamsAndNeighboursAreUncorrelated) {
  constexpr std::uint64_t kCount = 20000;
  const auto correlation = [](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0.0;
    const std::size_t count = std::min(a.size(), b.size());
    for (std::size_t index = 0; index < count; ++index) {
      sum += (a[index] - 0.5) * (b[index] - 0.5);
    }
    return sum / static_cast<double>(count) * 12.0;
  };
  const std::vector<float> base = first_numbers(1, 1, kCount);
  const std::vector<float> shifted(base.begin() + 1, base.end());
  const double bound = 5.0 / std::sqrt(static_cast<double>(kCount));
  EXPECT_NEAR(correlation(base, base), 1.0, 0.05);
  EXPECT_NEAR(correlation(base, shifted), 0.0, bound);
  EXPECT_NEAR(correlation(base, first_numbers(2, 1, kCount)), 0.0, bound);
  EXPECT_NEAR(correlation(base, first_numbers(1, 2, kCount)), 0.0, bound);
  EXPECT_NEAR(correlation(base, first_numbers(1 | std::uint64_t{1} << 32U, 1, kCount)), 0.0, bound);
}

TEST(RandomTest, OrderDoesNotMatter) {
  constexpr std::uint64_t kCount = 257;
  const std::vector<float> forwards = first_numbers(kSeed, 9, kCount);
  for (std::uint64_t index = kCount; index-- > 0;) {
    EXPECT_EQ(uniform01(kSeed, 9, index), forwards[index]);
  }
}

TEST(RandomTest, UniformFillsItsInterval) {
  float smallest = 1.0F;
  float largest = -1.0F;
  for (std::uint64_t index = 0; index < 10000; ++index) {
    const float number = uniform(kSeed, 2, index, -0.25F, 0.125F);
    smallest = std::min(smallest, number);
    largest = std::max(largest, number);
  }
  EXPECT_GE(smallest, -0.25F);
  EXPECT_LT(smallest, -0.249F);
  EXPECT_LE(largest, 0.125F);
  EXPECT_GT(largest, 0.124F);
  EXPECT_EQ(uniform(kSeed, 2, 0, 3.0F, 3.0F), 3.0F);
}

// By numpy, from the words of KnownBits: sqrt(-2 ln((w0 + 1) 2^-32)) times cos and sin of 2 pi w1
// 2^-32, times 0.5.
TEST(RandomTest, NormalNumbersAreThoseOfBoxAndMuller) {
  EXPECT_FLOAT_EQ(normal(0, 0, 0, 0.5F), -0.128839751F);
  EXPECT_FLOAT_EQ(normal(0, 0, 1, 0.5F), -0.526581344F);
  EXPECT_EQ(normal(0, 0, 0, 0.0F), 0.0F);
}

TEST(RandomTest, NormalNumbersHaveTheirMoments) {
  constexpr std::uint64_t kCount = 100000;
  double moments[4] = {};
  double pairs = 0.0, largest = 0.0;
  for (std::uint64_t index = 0; index < kCount; ++index) {
    const double number = normal(kSeed, 4, index, 1.0F);
    double power = 1.0;
    for (double& moment : moments) moment += (power *= number) / kCount;
    pairs += number * normal(kSeed, 4, index ^ 1U, 1.0F) / kCount;
    largest = std::max(largest, std::abs(number));
  }
  // Five standard errors of each: the variances of the powers are 1, 2, 15 and 96.
  const double error = 5.0 / std::sqrt(static_cast<double>(kCount));
  EXPECT_NEAR(moments[0], 0.0, error);
  EXPECT_NEAR(moments[1], 1.0, error * std::sqrt(2.0));
  EXPECT_NEAR(moments[2], 0.0, error * std::sqrt(15.0));
  EXPECT_NEAR(moments[3], 3.0, error * std::sqrt(96.0));
  EXPECT_NEAR(pairs, 0.0, error * std::sqrt(2.0));
  EXPECT_GT(largest, 4.0);
}

// Of the normal distribution between -2 and 2: density phi(x) / .9545, variance 1 - 4 phi(2) / .9545,
// fourth moment 3 - 28 phi(2) / .9545.
TEST(RandomTest, TruncatedNormalNumbersHaveTheirMoments) {
  constexpr std::uint64_t kCount = 100000;
  double mean = 0.0, square = 0.0, largest = 0.0, inside = 0.0;
  std::uint64_t redrawn = 0;
  for (std::uint64_t index = 0; index < kCount; ++index) {
    const double number = truncated_normal(kSeed, 6, index, 1.0F);
    mean += number / kCount;
    square += number * number / kCount;
    largest = std::max(largest, std::abs(number));
    if (std::abs(number) < 1.0) inside += 1.0 / kCount;
    const float first = normal(kSeed, 6, index, 1.0F);
    if (std::abs(first) <= 2.0F) {
      EXPECT_EQ(static_cast<float>(number), first) << index;
    } else {
      ++redrawn;
    }
  }
  const double error = 5.0 / std::sqrt(static_cast<double>(kCount));
  EXPECT_NEAR(mean, 0.0, error * 0.88);
  EXPECT_NEAR(square, 0.77374, error * 0.904);
  EXPECT_NEAR(inside, 0.68269 / 0.95450, error * 0.452);  // also of those that were drawn again
  EXPECT_NEAR(static_cast<double>(redrawn) / kCount, 0.04550, error * 0.208);
  EXPECT_LE(largest, 2.0);
  EXPECT_GT(largest, 1.99);
  EXPECT_EQ(truncated_normal(kSeed, 6, 3, 0.5F), 0.5F * truncated_normal(kSeed, 6, 3, 1.0F));
}

TEST(RandomTest, RefusesADeviationThatIsNone) {
  EXPECT_THROW(normal(0, 0, 0, -1.0F), std::invalid_argument);
  EXPECT_THROW(normal(0, 0, 0, std::nanf("")), std::invalid_argument);
  EXPECT_THROW(truncated_normal(0, 0, 0, -1.0F), std::invalid_argument);
}

TEST(RandomTest, RefusesAnIntervalThatIsNone) {
  EXPECT_THROW(uniform(0, 0, 0, 1.0F, 0.0F), std::invalid_argument);
  EXPECT_THROW(uniform(0, 0, 0, 0.0F, std::numeric_limits<float>::infinity()),
               std::invalid_argument);
  EXPECT_THROW(uniform(0, 0, 0, std::nanf(""), 1.0F), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
