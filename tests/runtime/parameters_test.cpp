#include "runtime/parameters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace gradflip {
namespace {

TEST(ParametersTest, LaysParametersOutOneAfterAnotherOnCacheLines) {
  Parameters parameters;
  EXPECT_EQ(parameters.add("a.weight", {3, 5}, FileLayout::same({3, 5}), 1.0F), 0);
  EXPECT_EQ(parameters.add("a.bias", {5}, FileLayout::same({5}), 1.0F), 1);
  EXPECT_EQ(parameters.add("b.weight", {16}, FileLayout::same({16}), 1.0F), 2);
  EXPECT_EQ(parameters[1].offset, 16);
  EXPECT_EQ(parameters[2].offset, 32);
  EXPECT_EQ(parameters.flat_size(), 48);
  EXPECT_EQ(parameters.size(), 36);
  EXPECT_EQ(parameters.at_offset(14), 0);
  EXPECT_EQ(parameters.at_offset(15), -1);
  EXPECT_EQ(parameters.at_offset(16), 1);
  EXPECT_EQ(parameters.at_offset(48), -1);
  EXPECT_EQ(parameters.range("a").begin, 0);
  EXPECT_EQ(parameters.range("a").end, 32);
  EXPECT_EQ(parameters.range("b").end, 48);
}

TEST(ParametersTest, RefusesWhatDoesNotFit) {
  Parameters parameters;
  parameters.add("a.weight", {3}, FileLayout::same({3}), 1.0F);
  EXPECT_THROW(parameters.add("a.weight", {3}, FileLayout::same({3}), 1.0F), std::invalid_argument);
  EXPECT_THROW(parameters.add("a.bias", {3}, FileLayout::same({4}), 1.0F), std::invalid_argument);
  EXPECT_THROW(parameters.range("b"), std::invalid_argument);
  parameters.add("b.weight", {3}, FileLayout::same({3}), 1.0F);
  parameters.add("a.bias", {3}, FileLayout::same({3}), 1.0F);
  EXPECT_THROW(parameters.range("a"), std::invalid_argument);
}

TEST(ParametersTest, PermutesAFilterBetweenMemoryAndFile) {
  Parameters parameters;
  const std::int64_t R = 2, S = 3, C = 4, K = 5;
  parameters.add("conv.weight", {R, S, C, K}, {{R, S, C, K}, {3, 2, 0, 1}, {K, C, R, S}}, 1.0F);
  std::vector<float> flat(static_cast<std::size_t>(parameters.flat_size()));
  std::iota(flat.begin(), flat.end(), 0.0F);
  std::vector<float> file(static_cast<std::size_t>(R * S * C * K));
  to_file_order(parameters[0], flat.data(), file.data());
  for (std::int64_t k = 0; k < K; ++k)
    for (std::int64_t c = 0; c < C; ++c)
      for (std::int64_t r = 0; r < R; ++r)
        for (std::int64_t s = 0; s < S; ++s)
          EXPECT_EQ(file[static_cast<std::size_t>(((k * C + c) * R + r) * S + s)],
                    flat[static_cast<std::size_t>(((r * S + s) * C + c) * K + k)]);
  std::vector<float> back(flat.size(), -1.0F);
  from_file_order(parameters[0], file.data(), back.data());
  EXPECT_TRUE(std::equal(back.begin(), back.begin() + R * S * C * K, flat.begin()));
}

TEST(ParametersTest, InitialValuesDependOnSeedAndFilePositionOnly) {
  // The same (out, in) matrix, once with columns in H, W, C order in memory and once flat.
  Parameters pictures, plain;
  const Shape file{2, 24};
  pictures.add("fc.weight", {2, 24}, {{2, 2, 3, 4}, {0, 3, 1, 2}, file}, 0.5F);
  plain.add("fc.weight", {2, 24}, FileLayout::same(file), 0.5F);
  const auto values = [](const Parameters& parameters, std::uint64_t seed) {
    const ParameterBlocks blocks(Cpu{}, parameters);
    initialize(Cpu{}, parameters, seed, blocks.weights);
    std::vector<float> in_file(48);
    to_file_order(parameters[0], blocks.weights.as<float>(), in_file.data());
    return in_file;
  };
  EXPECT_EQ(values(pictures, 7), values(plain, 7));
  EXPECT_NE(values(plain, 7), values(plain, 8));
  for (const float value : values(plain, 7)) {
    EXPECT_GE(value, -0.5F);
    EXPECT_LE(value, 0.5F);
  }
}

}  // namespace
}  // namespace gradflip
