#include "runtime/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/step_state.h"

namespace gradflip {
namespace {

TEST(ParametersTest, LaysParametersOutOneAfterAnotherOnCacheLines) {
  Parameters parameters;
  EXPECT_EQ(parameters.add("a.weight", {3, 5}, FileLayout::same({3, 5}), Uniform{1.0F}), 0);
  EXPECT_EQ(parameters.add("a.bias", {5}, FileLayout::same({5}), Uniform{1.0F}), 1);
  EXPECT_EQ(parameters.add("b.weight", {16}, FileLayout::same({16}), Uniform{1.0F}), 2);
  EXPECT_EQ(parameters[1].offset, 16);
  EXPECT_EQ(parameters[2].offset, 32);
  EXPECT_EQ(parameters.flat_size(), 48);
  EXPECT_EQ(parameters.size(), 36);
  EXPECT_EQ(parameters.at_offset(14), 0);
  EXPECT_EQ(parameters.at_offset(15), -1);
  EXPECT_EQ(parameters.at_offset(16), 1);
  EXPECT_EQ(parameters.at_offset(48), -1);
}

TEST(ParametersTest, RefusesWhatDoesNotFit) {
  Parameters parameters;
  parameters.add("a.weight", {3}, FileLayout::same({3}), Uniform{1.0F});
  EXPECT_THROW(parameters.add("a.weight", {3}, FileLayout::same({3}), Uniform{1.0F}),
               std::invalid_argument);
  EXPECT_THROW(parameters.add("a.bias", {3}, FileLayout::same({4}), Uniform{1.0F}),
               std::invalid_argument);
}

// Two names of one hash would begin with the same numbers.
TEST(ParametersTest, RefusesANameThatDrawsTheNumbersOfAnother) {
  Parameters parameters;
  parameters.add("liquid", {3}, FileLayout::same({3}), Uniform{1.0F});
  EXPECT_THAT(
      [&] { parameters.add("costarring", {3}, FileLayout::same({3}), Uniform{1.0F}); },
      testing::ThrowsMessage<std::invalid_argument>(testing::HasSubstr("the numbers of liquid")));
}

TEST(ParametersTest, NoneCanBeAddedToThoseThatHaveTheirMemory) {
  Parameters parameters;
  const FileLayout layout = FileLayout::same({3});
  parameters.add("a.weight", {3}, layout, Uniform{1.0F});
  const ParameterBlocks blocks(Cpu{}, parameters);
  EXPECT_THAT([&] { parameters.add("a.late", {3}, layout, Uniform{1.0F}); },
              testing::ThrowsMessage<std::invalid_argument>(testing::HasSubstr("a.late")));
  EXPECT_EQ(parameters.list().size(), 1U);
}

TEST(ParametersTest, BanksHaveOneLayout) {
  Parameters parameters;
  parameters.add("a.weight", {20}, FileLayout::same({20}), Uniform{1.0F});
  const ParameterBlocks blocks(Cpu{}, parameters, 3);
  EXPECT_EQ(blocks.num_banks(), 3);
  EXPECT_EQ(&blocks.bank(0), &blocks.weights);
  for (int bank = 0; bank < 3; ++bank) {
    EXPECT_EQ(blocks.bank(bank).bytes(), 32 * 4);
    EXPECT_EQ(blocks.bank(bank).as<float>()[31], 0.0F);
  }
  EXPECT_NE(blocks.bank(1).data(), blocks.bank(2).data());
  EXPECT_THROW(blocks.bank(3), std::invalid_argument);
  EXPECT_THROW(blocks.bank(-1), std::invalid_argument);
  EXPECT_THROW(ParameterBlocks(Cpu{}, parameters, 0), std::invalid_argument);
  EXPECT_EQ(blocks.notes.as<StepState>()->first_non_finite, StepState::kAllFinite);
}

TEST(ParametersTest, InitialisersFillTheWeights) {
  Parameters parameters;
  constexpr std::int64_t kMany = 4000;
  parameters.add("normal", {kMany}, FileLayout::same({kMany}), Normal{0.5F});
  parameters.add("uniform", {kMany}, FileLayout::same({kMany}), Uniform{0.5F});
  parameters.add("scale", {20}, FileLayout::same({20}), Constant{1.0F}, /*trained=*/false);
  EXPECT_TRUE(parameters[0].trained);
  EXPECT_FALSE(parameters[2].trained);
  const ParameterBlocks blocks(Cpu{}, parameters);
  initialize(Cpu{}, parameters, 3, blocks.weights);
  const auto mean_square = [&](std::int32_t index) {
    const float* values = blocks.weights.as<float>() + parameters[index].offset;
    double sum = 0.0;
    for (std::int64_t i = 0; i < kMany; ++i) sum += static_cast<double>(values[i]) * values[i];
    return sum / kMany;
  };
  // Five standard errors: of squares of normal numbers sqrt(2) of their mean, of uniform ones 0.9.
  EXPECT_NEAR(mean_square(0), 0.25, 5 * 0.25 * std::sqrt(2.0 / kMany));
  EXPECT_NEAR(mean_square(1), 0.25 / 3, 5 * 0.25 / 3 * std::sqrt(0.8 / kMany));
  const float* scales = blocks.weights.as<float>() + parameters[2].offset;
  EXPECT_EQ(std::vector<float>(scales, scales + 20), std::vector<float>(20, 1.0F));
  EXPECT_EQ(scales[20], 0.0F);
}

TEST(ParametersTest, PermutesAFilterBetweenMemoryAndFile) {
  Parameters parameters;
  const std::int64_t R = 2, S = 3, C = 4, K = 5;
  parameters.add("conv.weight", {R, S, C, K}, {{R, S, C, K}, {3, 2, 0, 1}, {K, C, R, S}},
                 Uniform{1.0F});
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

TEST(ParametersTest, InitialValuesDependOnSeedNameAndFilePositionOnly) {
  // The same (out, in) matrix, once with columns in H, W, C order in memory and once flat.
  Parameters pictures, plain;
  const Shape file{2, 24};
  pictures.add("fc.weight", {2, 24}, {{2, 2, 3, 4}, {0, 3, 1, 2}, file}, Uniform{0.5F});
  plain.add("fc.weight", {2, 24}, FileLayout::same(file), Uniform{0.5F});
  const auto values = [](Parameters& parameters, std::uint64_t seed) {
    const ParameterBlocks blocks(Cpu{}, parameters);
    initialize(Cpu{}, parameters, seed, blocks.weights);
    std::vector<float> in_file(48);
    to_file_order(parameters[0], blocks.weights.as<float>(), in_file.data());
    return in_file;
  };
  EXPECT_EQ(values(pictures, 7), values(plain, 7));
  EXPECT_NE(values(plain, 7), values(plain, 8));
  Parameters behind;
  behind.add("fc0.weight", {9}, FileLayout::same({9}), Uniform{0.5F});
  behind.add("fc.weight", {2, 24}, FileLayout::same(file), Uniform{0.5F});
  const ParameterBlocks blocks(Cpu{}, behind);
  initialize(Cpu{}, behind, 7, blocks.weights);
  std::vector<float> in_file(48);
  to_file_order(behind[1], blocks.weights.as<float>(), in_file.data());
  EXPECT_EQ(in_file, values(plain, 7));
  for (const float value : values(plain, 7)) {
    EXPECT_GE(value, -0.5F);
    EXPECT_LE(value, 0.5F);
  }
}

}  // namespace
}  // namespace gradflip
