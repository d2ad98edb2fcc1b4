#include "kernels/sampled_conv_block.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "kernels/gather.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/math_modes.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/conv_block.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr std::int64_t kStep = 7;
constexpr Schedule kRamp{
    .kind = Schedule::Kind::kSigmoidRamp, .start = 1.0, .gamma = 10.0, .total_steps = 20};
constexpr Schedule kDecay{.kind = Schedule::Kind::kProgressDecay,
                          .start = 0.01,
                          .alpha = 10.0,
                          .beta = 0.75,
                          .total_steps = 20};

// Two data sets, the first with labels; `grey`: whether each has one channel.
struct Case {
  ConvBlockShape shape;  // N is the sum of the rows
  std::array<std::int64_t, 2> rows{};
  std::array<std::int64_t, 2> sizes{};
  std::array<bool, 2> grey{};
  bool exact = false;  // x and filter are whole numbers and fractions of eight bits; scales are 1
};

const std::vector<Case> kCases = {
    // The paper's first layer: grey digits and coloured ones; an epoch ends within the step.
    {{.conv = {.N = 7, .H = 28, .W = 28, .C = 3, .K = 32, .R = 5, .S = 5}},
     {4, 3},
     {9, 5},
     {true, false}},
    {{.conv = {.N = 3, .H = 28, .W = 28, .C = 3, .K = 37, .R = 5, .S = 5}},
     {0, 3},
     {9, 5},
     {false, false}},
    {{.conv = {.N = 2, .H = 6, .W = 5, .C = 3, .K = 2, .R = 3, .S = 2}},
     {2, 0},
     {3, 1},
     {false, true}},
    {{.conv = {.N = 0, .H = 6, .W = 5, .C = 3, .K = 2, .R = 3, .S = 2}},
     {0, 0},
     {3, 1},
     {false, true}},
    // Pictures that are no whole words; one channel, two, five.
    {{.conv = {.N = 3, .H = 7, .W = 5, .C = 3, .K = 9, .R = 2, .S = 4}},
     {2, 1},
     {4, 4},
     {false, false}},
    {{.conv = {.N = 3, .H = 7, .W = 5, .C = 1, .K = 9, .R = 2, .S = 3}},
     {1, 2},
     {4, 4},
     {false, false}},
    {{.conv = {.N = 3, .H = 8, .W = 9, .C = 2, .K = 5, .R = 3, .S = 3}},
     {2, 1},
     {2, 7},
     {true, false}},
    {{.conv = {.N = 2, .H = 8, .W = 6, .C = 5, .K = 5, .R = 3, .S = 3}},
     {1, 1},
     {2, 7},
     {true, false}},
    // Padding, strides, dilated rows; windows of one position and of more than a tile.
    {{.conv = {.N = 3, .H = 8, .W = 8, .C = 3, .K = 4, .R = 5, .S = 5, .pad_h = 2, .pad_w = 2}},
     {1, 2},
     {3, 3},
     {true, false}},
    {{.conv = {.N = 2,
               .H = 9,
               .W = 12,
               .C = 3,
               .K = 4,
               .R = 3,
               .S = 3,
               .stride_h = 2,
               .stride_w = 3,
               .pad_w = 1,
               .dilation_h = 2}},
     {1, 1},
     {3, 3},
     {false, true}},
    {{.conv = {.N = 5, .H = 2, .W = 2, .C = 3, .K = 4, .R = 2, .S = 2}, .pool_h = 1, .pool_w = 1},
     {2, 3},
     {9, 9},
     {true, false}},
    {{.conv = {.N = 2, .H = 16, .W = 14, .C = 3, .K = 3, .R = 1, .S = 3},
      .pool_h = 16,
      .pool_w = 12},
     {1, 1},
     {2, 2},
     {true, false}},
};

// More taps than one pass of a tile takes: sums are split in another way.
const std::vector<Case> kLongSums = {
    {{.conv = {.N = 3, .H = 14, .W = 16, .C = 3, .K = 8, .R = 9, .S = 10}},
     {1, 2},
     {3, 4},
     {true, false}},
    {{.conv = {.N = 2, .H = 13, .W = 15, .C = 3, .K = 40, .R = 10, .S = 11}},
     {1, 1},
     {3, 4},
     {false, false}},
};

// Those that a kernel of their own takes on CUDA, in tf32 and bf16: pieces of a picture by 32
// filters. Pieces that end within a row of windows; rows that belong to no window; rows of the
// filter of one step and of two; padding.
const std::vector<Case> kPlain = {
    {{.conv = {.N = 1, .H = 28, .W = 28, .C = 3, .K = 32, .R = 5, .S = 5}},
     {1, 0},
     {3, 1},
     {false, true}},
    {{.conv = {.N = 2, .H = 13, .W = 37, .C = 3, .K = 36, .R = 5, .S = 5}},
     {1, 1},
     {3, 2},
     {true, false}},
    {{.conv = {.N = 3, .H = 8, .W = 5, .C = 3, .K = 28, .R = 2, .S = 4}},
     {2, 1},
     {4, 4},
     {false, false}},
    {{.conv = {.N = 2, .H = 9, .W = 12, .C = 1, .K = 32, .R = 5, .S = 9}},
     {1, 1},
     {4, 4},
     {false, false}},
    {{.conv = {.N = 2, .H = 7, .W = 11, .C = 5, .K = 24, .R = 2, .S = 5}},
     {1, 1},
     {2, 7},
     {true, false}},
    {{.conv = {.N = 2, .H = 6, .W = 9, .C = 2, .K = 60, .R = 1, .S = 8, .pad_w = 3}},
     {1, 1},
     {2, 7},
     {false, true}},
    {{.conv = {.N = 3, .H = 9, .W = 8, .C = 3, .K = 32, .R = 4, .S = 5, .pad_h = 2, .pad_w = 1}},
     {1, 2},
     {3, 3},
     {true, false}},
    {{.conv = {.N = 400, .H = 4, .W = 5, .C = 3, .K = 32, .R = 2, .S = 3}},
     {150, 250},
     {99, 300},
     {true, false}},
};

struct Result {
  std::vector<float> pooled, x, schedules;
  std::vector<std::uint8_t> winner;
  std::vector<std::int32_t> labels;

  friend bool operator==(const Result& a, const Result& b) = default;
};

template <typename Ctx>
class SampledConvBlockTest : public BackendTest<Ctx> {
 protected:
  struct Inputs {
    std::array<std::vector<std::uint8_t>, 2> images;
    std::vector<std::int32_t> labels;
    std::vector<float> mean, scale, filter, bias;
  };

  static Inputs inputs_of(const Case& c) {
    const Conv2dShape& conv = c.shape.conv;
    Inputs inputs;
    for (std::size_t s = 0; s < 2; ++s) {
      inputs.images[s] =
          random_bytes(c.sizes[s] * conv.H * conv.W * (c.grey[s] ? 1 : conv.C), s + 1);
    }
    inputs.labels = random_labels(c.sizes[0], 65'536, 3);
    inputs.mean = random_floats(conv.C, 4);
    for (float& mean : inputs.mean) mean = 100.0F + 20.0F * mean;
    inputs.scale = random_floats(conv.C, 7);
    for (float& scale : inputs.scale) scale = (1.0F + 0.5F * scale) / 255.0F;
    inputs.filter = random_floats(conv.R * conv.S * conv.C * conv.K, 5);
    if (c.exact) {
      for (float& mean : inputs.mean) mean = std::floor(mean);
      for (float& scale : inputs.scale) scale = 1.0F;
      inputs.filter = representable(inputs.filter, Math::kBf16);
    }
    inputs.bias = random_floats(conv.K, 6);
    return inputs;
  }

  static Sampler sampler_of(const Case& c, std::size_t s, bool shuffle) {
    return {.seed = 11,
            .stream = static_cast<std::uint32_t>(s),
            .size = c.sizes[s],
            .batch = std::max<std::int64_t>(c.rows[s], 1),
            .shuffle = shuffle};
  }

  // batch: of which a step takes its rows; 0: they are all of it.
  Result fused(const Case& c, bool shuffle = true, bool keep_x = true, Base base = Base::kAligned,
               std::int64_t batch = 0) {
    const Conv2dShape& conv = c.shape.conv;
    const Inputs in = inputs_of(c);
    const auto source = this->upload(in.images[0], base), target = this->upload(in.images[1], base);
    const auto labels = this->upload(in.labels);
    const auto mean = this->upload(in.mean), scale = this->upload(in.scale),
               filter = this->upload(in.filter), bias = this->upload(in.bias);
    const auto step = this->upload(std::vector<std::int64_t>{kStep});
    const std::int64_t size = conv.N * c.shape.PP() * c.shape.PQ() * conv.K;
    auto pooled = this->poisoned(size);
    auto winner = this->template poisoned<std::uint8_t>(size);
    auto x = this->poisoned(keep_x ? conv.N * conv.H * conv.W * conv.C : 0);
    auto row_labels = this->template poisoned<std::int32_t>(c.rows[0]);
    auto values = this->poisoned(2);
    auto workspace = this->template poisoned<std::uint8_t>(
        sampled_conv_block_workspace_bytes(this->ctx(), c.shape));
    Sampler sampler = sampler_of(c, 0, shuffle);
    if (batch > 0) sampler.batch = batch;
    const std::array<SampledSegment, 2> segments{
        {{source.data(), c.grey[0] ? 1 : conv.C, sampler, c.rows[0], labels.data(),
          row_labels.data()},
         {target.data(), c.grey[1] ? 1 : conv.C, sampler_of(c, 1, shuffle), c.rows[1]}}};
    const std::array<ScheduledValue, 2> schedules{
        {{kRamp, values.data()}, {kDecay, values.data() + 1}}};
    sampled_conv_block_forward(this->ctx(),
                               {.shape = c.shape,
                                .segments = segments,
                                .step = step.data(),
                                .mean = mean.data(),
                                .scale = scale.data(),
                                .filter = filter.data(),
                                .bias = bias.data(),
                                .pooled = pooled.data(),
                                .winner = winner.data(),
                                .x = keep_x ? x.data() : nullptr,
                                .schedules = schedules},
                               workspace.data());
    return {pooled.read(), x.read(), values.read(), winner.read(), row_labels.read()};
  }

  // The kernels that it stands for, on the same backend.
  Result apart(const Case& c, bool shuffle = true) {
    const Ctx ctx = this->ctx();
    const Conv2dShape& conv = c.shape.conv;
    const Inputs in = inputs_of(c);
    const auto mean = this->upload(in.mean), scale = this->upload(in.scale),
               filter = this->upload(in.filter), bias = this->upload(in.bias);
    const auto labels = this->upload(in.labels);
    const auto step = this->upload(std::vector<std::int64_t>{kStep});
    const std::int64_t picture = conv.H * conv.W * conv.C;
    const std::int64_t size = conv.N * c.shape.PP() * c.shape.PQ() * conv.K;
    auto pooled = this->poisoned(size);
    auto winner = this->template poisoned<std::uint8_t>(size);
    auto x = this->poisoned(conv.N * picture);
    auto row_labels = this->template poisoned<std::int32_t>(c.rows[0]);
    auto values = this->poisoned(2);
    for (std::size_t s = 0; s < 2; ++s) {
      auto indices = this->template poisoned<std::int64_t>(c.rows[s]);
      sample_indices(ctx, sampler_of(c, s, shuffle), step.data(), 0, c.rows[s], indices.data());
      const auto images = this->upload(in.images[s]);
      gather_normalize(ctx,
                       {.count = c.rows[s],
                        .pixels = conv.H * conv.W,
                        .stored_channels = c.grey[s] ? 1 : conv.C,
                        .channels = conv.C},
                       images.data(), indices.data(), mean.data(), scale.data(),
                       x.data() + (s == 0 ? 0 : c.rows[0] * picture));
      if (s == 0) gather_labels(ctx, c.rows[0], labels.data(), indices.data(), row_labels.data());
    }
    auto workspace =
        this->template poisoned<std::uint8_t>(conv_block_workspace_bytes(ctx, c.shape));
    conv_block_forward(ctx, c.shape, x.data(), filter.data(), bias.data(), pooled.data(),
                       winner.data(), workspace.data());
    evaluate_schedule(ctx, kRamp, step.data(), values.data());
    evaluate_schedule(ctx, kDecay, step.data(), values.data() + 1);
    return {pooled.read(), x.read(), values.read(), winner.read(), row_labels.read()};
  }
};
TYPED_TEST_SUITE(SampledConvBlockTest, Backends, BackendNames);

TYPED_TEST(SampledConvBlockTest, EqualsItsPartsBitForBit) {
  for (const Case& c : kCases) {
    for (const bool shuffle : {true, false}) {
      SCOPED_TRACE(testing::Message() << (&c - kCases.data()) << (shuffle ? " shuffled" : ""));
      const Result want = this->apart(c, shuffle);
      EXPECT_EQ(this->fused(c, shuffle), want);
      EXPECT_EQ(this->fused(c, shuffle, true, Base::kOffByOne), want) << "off by one";
      Result without_x = this->fused(c, shuffle, false);
      EXPECT_TRUE(without_x.x.empty());
      without_x.x = want.x;
      EXPECT_EQ(without_x, want);
    }
  }
}

TYPED_TEST(SampledConvBlockTest, MatchesReferenceInEveryMode) {
  std::vector<Case> cases = kLongSums;
  cases.insert(cases.end(), kCases.begin(), kCases.begin() + 2);
  for (Case c : cases) {
    const Result exact = this->apart(c);
    const auto in = this->inputs_of(c);
    const auto want =
        reference::conv_block_forward(c.shape, widen(exact.x), widen(in.filter), widen(in.bias));
    for (const Math math : {Math::kF32, Math::kTf32, Math::kBf16}) {
      c.shape.conv.math = math;
      const Result got = this->fused(c);
      EXPECT_TRUE(
          all_close(got.pooled, want.pooled, math == Math::kF32 ? kSum : sum_tolerance(math)));
      EXPECT_EQ(got.x, exact.x);
    }
  }
}

// And leave everything else as it is.
TYPED_TEST(SampledConvBlockTest, ModesRoundOperandsOnly) {
  std::vector<Case> cases = kPlain;
  cases.insert(cases.end(), kCases.begin(), kCases.end());
  for (Case c : cases) {
    SCOPED_TRACE(testing::PrintToString(std::vector<std::int64_t>{
        c.shape.conv.N, c.shape.conv.H, c.shape.conv.W, c.shape.conv.C, c.shape.conv.K}));
    for (const bool exact : {false, true}) {
      c.exact = exact;
      c.shape.conv.math = Math::kF32;
      const Result want = this->apart(c);
      const auto in = this->inputs_of(c);
      const auto reference =
          reference::conv_block_forward(c.shape, widen(want.x), widen(in.filter), widen(in.bias));
      for (const Math math : {Math::kTf32, Math::kBf16}) {
        c.shape.conv.math = math;
        Result got = this->fused(c);
        EXPECT_TRUE(all_close(got.pooled, reference.pooled, exact ? kSum : sum_tolerance(math)));
        if (exact) {
          EXPECT_TRUE(reference::winners_match(got.winner, reference, c.shape, kSum));
        }
        EXPECT_EQ(got.x, want.x);
        EXPECT_EQ(got.labels, want.labels);
        EXPECT_EQ(got.schedules, want.schedules);
        got.x.clear();
        EXPECT_EQ(this->fused(c, true, false), got) << "without x";
      }
    }
  }
}

// Of a large batch fewer blocks share a picture.
TYPED_TEST(SampledConvBlockTest, AnImageDoesNotDependOnTheOthers) {
  constexpr std::int64_t kMany = 150;
  Case many = kPlain.front();
  many.shape.conv.N = many.rows[0] = kMany;
  many.sizes[0] = 2 * kMany;
  Case few = many;
  few.shape.conv.N = few.rows[0] = 2;
  for (const Math math : {Math::kTf32, Math::kBf16}) {
    few.shape.conv.math = many.shape.conv.math = math;
    const std::vector<float> want = this->fused(many).pooled;
    const std::vector<float> got =
        this->fused(few, true, true, Base::kAligned, /*batch=*/kMany).pooled;
    EXPECT_EQ(got, std::vector<float>(want.begin(), want.begin() + got.size()));
  }
}

TYPED_TEST(SampledConvBlockTest, RejectsWhatDoesNotFit) {
  const auto run = [&](const SampledConvBlock& block) {
    sampled_conv_block_forward(this->ctx(), block, nullptr);
  };
  const ConvBlockShape shape{.conv = {.N = 1, .H = 4, .W = 4, .C = 3, .K = 1, .R = 3, .S = 3}};
  EXPECT_THROW(run({.shape = shape}), std::invalid_argument) << "no row for N = 1";
  const std::array<SampledSegment, 1> two_channels{{{nullptr, 2, {.size = 1, .batch = 1}, 1}}};
  EXPECT_THROW(run({.shape = shape, .segments = two_channels}), std::invalid_argument);
  ConvBlockShape dilated = shape;
  dilated.conv.N = 0;
  dilated.conv.W = 8;
  dilated.conv.dilation_w = 2;
  EXPECT_THROW(run({.shape = dilated}), std::invalid_argument);
  ConvBlockShape empty = shape;
  empty.conv.N = 0;
  const std::vector<ScheduledValue> many(kMaxSchedules + 1);
  EXPECT_THROW(run({.shape = empty, .schedules = many}), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
