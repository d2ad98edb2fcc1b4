#include "kernels/conv_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "tests/kernels/conv_block_cases.h"
#include "tests/kernels/simd_targets.h"
#include "tests/support/compare.h"
#include "tests/support/reference/conv_block.h"

namespace gradflip {
namespace {

using reference::widen;
using testing::HasSubstr;
using testing::ThrowsMessage;

TYPED_TEST_SUITE(ConvBlockTest, Backends, BackendNames);

TYPED_TEST(ConvBlockTest, ForwardMatchesReference) {
  for (const ConvBlockShape& shape : kConvBlockShapes) {
    SCOPED_TRACE(name_of(shape));
    const ConvBlockTensors tensors(shape);
    const auto want = reference::conv_block_forward(shape, widen(tensors.x), widen(tensors.filter),
                                                    widen(tensors.bias));
    for_each_simd_target<TypeParam>([&] {
      const ConvBlockForward got = this->forward(shape, tensors);
      EXPECT_TRUE(all_close(got.pooled, want.pooled, kSum));
      EXPECT_TRUE(reference::winners_match(got.winner, want, shape, kSum));
      EXPECT_EQ(this->forward(shape, tensors, Base::kOffByOne), got) << "off by one";
    });
  }
}

TYPED_TEST(ConvBlockTest, ModesRoundOperandsOnly) {
  for (const Math math : kRoundingModes) {
    for (ConvBlockShape shape : kConvBlockShapes) {
      shape.conv.math = math;
      SCOPED_TRACE(name_of(shape));
      const ConvBlockTensors tensors(shape);
      const auto want = reference::conv_block_forward(shape, widen(tensors.x),
                                                      widen(tensors.filter), widen(tensors.bias));
      EXPECT_TRUE(
          all_close(this->forward(shape, tensors).pooled, want.pooled, sum_tolerance(math)));

      // Of operands that need no rounding every winner is known.
      const ConvBlockTensors exact = representable(tensors, math);
      const auto want_exact = reference::conv_block_forward(shape, widen(exact.x),
                                                            widen(exact.filter), widen(exact.bias));
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        const ConvBlockForward got = this->forward(shape, exact, base);
        EXPECT_TRUE(all_close(got.pooled, want_exact.pooled, kSum));
        EXPECT_TRUE(reference::winners_match(got.winner, want_exact, shape, kSum));
      }
    }
  }
}

TYPED_TEST(ConvBlockTest, AnImageDoesNotDependOnTheOthers) {
  for_each_simd_target<TypeParam>([this] {
    for (const ConvBlockShape& shape : kConvBlockShapes) {
      if (shape.conv.N < 2) continue;
      const ConvBlockTensors all(shape);
      ConvBlockShape single = shape;
      single.conv.N = 1;
      ConvBlockTensors last(single);
      std::copy(all.x.end() - last.x.size(), all.x.end(), last.x.begin());
      const ConvBlockForward want = this->forward(shape, all);
      const ConvBlockForward got = this->forward(single, last);
      EXPECT_EQ(got.pooled,
                std::vector<float>(want.pooled.end() - last.pooled_size(), want.pooled.end()));
      EXPECT_EQ(got.winner, std::vector<std::uint8_t>(want.winner.end() - last.pooled_size(),
                                                      want.winner.end()));
    }
  });
}

// One weight per channel and no neighbours: the window's values are known exactly.
TYPED_TEST(ConvBlockTest, FirstOfEqualsWinsAndZeroIsDead) {
  for_each_simd_target<TypeParam>([this] {
    const ConvBlockShape shape = {.conv = {.N = 1, .H = 2, .W = 4, .C = 1, .K = 3, .R = 1, .S = 1}};
    ConvBlockTensors tensors(shape);
    tensors.x = {1, 2, -1, -2,  //
                 2, 0, -1, -3};
    tensors.filter = {1, -1, 0};
    tensors.bias = {0, 0, 0};
    const ConvBlockForward got = this->forward(shape, tensors);
    EXPECT_EQ(got.pooled, (std::vector<float>{2, 0, 0, 0, 3, 0}));
    EXPECT_EQ(got.winner, (std::vector<std::uint8_t>{1, kDeadWinner, kDeadWinner, kDeadWinner, 3,
                                                     kDeadWinner}));
    tensors.bias = {5, 5, 5};
    EXPECT_EQ(this->forward(shape, tensors).winner, (std::vector<std::uint8_t>{1, 3, 0, 0, 3, 0}));
  });
}

// Padding wider than the filter: whole windows see only zeros, and all of their values are the
// bias.
TYPED_TEST(ConvBlockTest, WindowsInThePaddingAreTheBias) {
  const ConvBlockShape shape = {
      .conv = {.N = 1, .H = 3, .W = 2, .C = 2, .K = 5, .R = 2, .S = 2, .pad_h = 4, .pad_w = 3}};
  const ConvBlockTensors tensors(shape);
  const auto want = reference::conv_block_forward(shape, widen(tensors.x), widen(tensors.filter),
                                                  widen(tensors.bias));
  for_each_simd_target<TypeParam>([&] {
    const ConvBlockForward got = this->forward(shape, tensors);
    EXPECT_TRUE(all_close(got.pooled, want.pooled, kSum));
    EXPECT_EQ(got.winner, want.winner);
  });
}

// And it reaches no value whose window does not hold it.
TYPED_TEST(ConvBlockTest, NanWinsAndStays) {
  struct Case {
    Math math;
    float sign;
  };
  for_each_simd_target<TypeParam>([this] {
    for (ConvBlockShape shape : kConvBlockShapes) {
      if (shape.conv.N == 0) continue;
      SCOPED_TRACE(name_of(shape));
      for (const auto& [math, sign] :
           {Case{Math::kF32, 1.0F}, Case{Math::kF32, -1.0F}, Case{Math::kBf16, 1.0F}}) {
        shape.conv.math = math;
        ConvBlockTensors tensors(shape);
        tensors.x[tensors.x.size() / 2] = std::copysign(kQuietNan, sign);
        const auto want = reference::conv_block_forward(shape, widen(tensors.x),
                                                        widen(tensors.filter), widen(tensors.bias));
        const ConvBlockForward got = this->forward(shape, tensors);
        for (std::size_t i = 0; i < got.pooled.size(); ++i) {
          ASSERT_EQ(std::isnan(got.pooled[i]), std::isnan(want.pooled.value[i])) << i;
          if (!std::isnan(got.pooled[i])) continue;
          ASSERT_EQ(got.winner[i], want.winner[i]) << i;
        }
      }
    }
  });
}

TYPED_TEST(ConvBlockTest, RefusesBadPoolsWithTheirNumbers) {
  const auto run = [this](std::int64_t pool_h, std::int64_t pool_w) {
    return [this, pool_h, pool_w] {
      const ConvBlockShape shape = {
          .conv = {.N = 1, .H = 300, .W = 9, .C = 1, .K = 1, .R = 2, .S = 2},
          .pool_h = pool_h,
          .pool_w = pool_w};
      conv_block_forward(this->ctx(), shape, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    };
  };
  const auto refused = [](const char* text) {
    return ThrowsMessage<std::invalid_argument>(HasSubstr(text));
  };
  EXPECT_THAT(run(0, 2), refused("0 x 2"));
  EXPECT_THAT(run(2, -1), refused("2 x -1"));
  EXPECT_THAT(run(85, 3), refused("more than 254 positions"));
  EXPECT_THAT(run(std::int64_t{1} << 62, 4), refused("more than 254 positions"));
  EXPECT_THAT(run(2, 9), refused("does not fit the convolution's output of 299 x 8"));
  const ConvBlockShape bad = {.conv = {.N = 1, .H = 4, .W = 4, .C = 0, .K = 1, .R = 2, .S = 2}};
  EXPECT_THROW(conv_block_workspace_bytes(Cpu{}, bad), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
