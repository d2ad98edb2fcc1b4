#include "kernels/conv_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/conv_block.h"

namespace gradflip {
namespace {

using reference::widen;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

const std::vector<ConvBlockShape> kShapes = {
    // The paper's two layers.
    {.conv = {.N = 2, .H = 28, .W = 28, .C = 3, .K = 32, .R = 5, .S = 5}},
    {.conv = {.N = 3, .H = 12, .W = 12, .C = 32, .K = 48, .R = 5, .S = 5}},
    {.conv = {.N = 1, .H = 1, .W = 1, .C = 1, .K = 1, .R = 1, .S = 1}, .pool_h = 1, .pool_w = 1},
    {.conv = {.N = 0, .H = 6, .W = 6, .C = 2, .K = 3, .R = 3, .S = 3}},
    // Strips of 2, 4, ... 14 pixels: every remainder of a tile. Channels around vectors and blocks.
    {.conv = {.N = 2, .H = 5, .W = 4, .C = 1, .K = 2, .R = 2, .S = 3}},
    {.conv = {.N = 2, .H = 7, .W = 7, .C = 2, .K = 5, .R = 3, .S = 2}},
    {.conv = {.N = 1, .H = 6, .W = 9, .C = 3, .K = 17, .R = 2, .S = 3}},
    {.conv = {.N = 1, .H = 5, .W = 10, .C = 4, .K = 33, .R = 2, .S = 2}},
    {.conv = {.N = 2, .H = 6, .W = 12, .C = 5, .K = 50, .R = 3, .S = 2}},
    {.conv = {.N = 1, .H = 6, .W = 16, .C = 7, .K = 66, .R = 3, .S = 2}},
    {.conv = {.N = 1, .H = 8, .W = 18, .C = 11, .K = 100, .R = 1, .S = 3}},
    // Runs of more vectors than one pass takes, and images of more than one panel.
    {.conv = {.N = 2, .H = 7, .W = 6, .C = 64, .K = 19, .R = 3, .S = 3}},
    {.conv = {.N = 2, .H = 16, .W = 15, .C = 37, .K = 8, .R = 7, .S = 5}},
    {.conv = {.N = 1, .H = 24, .W = 22, .C = 16, .K = 6, .R = 2, .S = 2}},
    // Other pools; the last rows and columns of the convolution are dropped.
    {.conv = {.N = 2, .H = 12, .W = 13, .C = 3, .K = 9, .R = 3, .S = 3}, .pool_h = 3, .pool_w = 2},
    {.conv = {.N = 1, .H = 9, .W = 15, .C = 2, .K = 20, .R = 2, .S = 2}, .pool_h = 1, .pool_w = 4},
    {.conv = {.N = 1, .H = 11, .W = 6, .C = 2, .K = 4, .R = 2, .S = 1}, .pool_h = 5, .pool_w = 1},
    {.conv = {.N = 1, .H = 2, .W = 127, .C = 1, .K = 3, .R = 1, .S = 1},
     .pool_h = 2,
     .pool_w = 127},
    // Padding, stride, dilation, alone and together.
    {.conv = {.N = 2, .H = 8, .W = 9, .C = 3, .K = 16, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1}},
    {.conv = {.N = 2, .H = 6, .W = 8, .C = 16, .K = 7, .R = 5, .S = 5, .pad_h = 2, .pad_w = 2}},
    {.conv =
         {.N = 2, .H = 13, .W = 15, .C = 4, .K = 10, .R = 3, .S = 4, .stride_h = 2, .stride_w = 3}},
    {.conv = {.N = 1,
              .H = 12,
              .W = 13,
              .C = 16,
              .K = 18,
              .R = 3,
              .S = 2,
              .stride_h = 2,
              .stride_w = 1,
              .dilation_h = 2}},
    {.conv = {.N = 2,
              .H = 10,
              .W = 12,
              .C = 5,
              .K = 12,
              .R = 3,
              .S = 3,
              .dilation_h = 2,
              .dilation_w = 3}},
    {.conv = {.N = 2,
              .H = 11,
              .W = 9,
              .C = 16,
              .K = 21,
              .R = 3,
              .S = 2,
              .stride_h = 1,
              .stride_w = 2,
              .pad_h = 1,
              .pad_w = 3,
              .dilation_h = 2,
              .dilation_w = 3},
     .pool_h = 2,
     .pool_w = 3},
};

std::string name_of(const ConvBlockShape& shape) {
  const Conv2dShape& conv = shape.conv;
  return testing::PrintToString(std::vector<std::int64_t>{
      conv.N, conv.H, conv.W, conv.C, conv.K, conv.R, conv.S, conv.stride_h, conv.stride_w,
      conv.pad_h, conv.pad_w, conv.dilation_h, conv.dilation_w, shape.pool_h, shape.pool_w});
}

struct Tensors {
  explicit Tensors(const ConvBlockShape& shape)
      : x(random_floats(shape.conv.N * shape.conv.H * shape.conv.W * shape.conv.C, 1)),
        filter(random_floats(shape.conv.R * shape.conv.S * shape.conv.C * shape.conv.K, 2)),
        bias(random_floats(shape.conv.K, 3)),
        dpooled(random_floats(shape.conv.N * shape.PP() * shape.PQ() * shape.conv.K, 4)) {
    // Winners of every kind, whether or not this x has them: a fifth dead, a seventh of the
    // gradients zero, and what arrives at a dead window must not matter.
    const std::vector<std::uint8_t> bytes = random_bytes(pooled_size(), 5);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const bool dead = bytes[i] % 5 == 0;
      winner.push_back(dead ? kDeadWinner
                            : static_cast<std::uint8_t>(bytes[i] % (shape.pool_h * shape.pool_w)));
      if (i % 7 == 3) dpooled[i] = 0.0F;
      if (dead) dpooled[i] = kNan;
    }
  }
  std::int64_t pooled_size() const { return static_cast<std::int64_t>(dpooled.size()); }

  std::vector<float> x, filter, bias, dpooled;
  std::vector<std::uint8_t> winner;
};

struct Forward {
  std::vector<float> pooled;
  std::vector<std::uint8_t> winner;
  bool operator==(const Forward&) const = default;
};

struct FilterGradient {
  std::vector<float> dfilter, dbias;
  bool operator==(const FilterGradient&) const = default;
};

template <typename Ctx>
class ConvBlockTest : public BackendTest<Ctx> {
 protected:
  // All bits set: NaN as floats, -1 as integers.
  auto workspace(const ConvBlockShape& shape) {
    return this->upload(std::vector<std::uint8_t>(
        static_cast<std::size_t>(conv_block_workspace_bytes(shape)), std::uint8_t{0xFF}));
  }

  Forward forward(const ConvBlockShape& shape, const Tensors& tensors, Base base = Base::kAligned) {
    const auto x = this->upload(tensors.x, base);
    const auto filter = this->upload(tensors.filter, base);
    const auto bias = this->upload(tensors.bias, base);
    auto pooled = this->poisoned(tensors.pooled_size(), base);
    auto winner = this->template poisoned<std::uint8_t>(tensors.pooled_size(), base);
    auto scratch = workspace(shape);
    conv_block_forward(this->ctx(), shape, x.data(), filter.data(), bias.data(), pooled.data(),
                       winner.data(), scratch.data());
    return {pooled.read(), winner.read()};
  }

  std::vector<float> backward_data(const ConvBlockShape& shape, const Tensors& tensors,
                                   Base base = Base::kAligned) {
    const auto dpooled = this->upload(tensors.dpooled, base);
    const auto winner = this->upload(tensors.winner, base);
    const auto filter = this->upload(tensors.filter, base);
    auto dx = this->poisoned(static_cast<std::int64_t>(tensors.x.size()), base);
    auto scratch = workspace(shape);
    conv_block_backward_data(this->ctx(), shape, dpooled.data(), winner.data(), filter.data(),
                             dx.data(), scratch.data());
    return dx.read();
  }

  FilterGradient backward_filter(const ConvBlockShape& shape, const Tensors& tensors,
                                 Base base = Base::kAligned) {
    auto dfilter = this->poisoned(static_cast<std::int64_t>(tensors.filter.size()), base);
    auto dbias = this->poisoned(shape.conv.K, base);
    run_backward_filter(shape, tensors, Write::kOverwrite, base, dfilter.data(), dbias.data());
    return {dfilter.read(), dbias.read()};
  }

  void run_backward_filter(const ConvBlockShape& shape, const Tensors& tensors, Write write,
                           Base base, float* dfilter, float* dbias) {
    const auto x = this->upload(tensors.x, base);
    const auto dpooled = this->upload(tensors.dpooled, base);
    const auto winner = this->upload(tensors.winner, base);
    auto scratch = workspace(shape);
    conv_block_backward_filter(this->ctx(), shape, x.data(), dpooled.data(), winner.data(), write,
                               dfilter, dbias, scratch.data());
  }
};
TYPED_TEST_SUITE(ConvBlockTest, Backends, BackendNames);

TYPED_TEST(ConvBlockTest, ForwardMatchesReference) {
  for (const ConvBlockShape& shape : kShapes) {
    SCOPED_TRACE(name_of(shape));
    const Tensors tensors(shape);
    const auto want = reference::conv_block_forward(shape, widen(tensors.x), widen(tensors.filter),
                                                    widen(tensors.bias));
    for_each_simd_target<TypeParam>([&] {
      const Forward got = this->forward(shape, tensors);
      EXPECT_TRUE(all_close(got.pooled, want.pooled, kSum));
      EXPECT_TRUE(reference::winners_match(got.winner, want, shape, kSum));
      EXPECT_EQ(this->forward(shape, tensors, Base::kOffByOne), got) << "off by one";
    });
  }
}

TYPED_TEST(ConvBlockTest, BackwardDataMatchesReference) {
  for (const ConvBlockShape& shape : kShapes) {
    SCOPED_TRACE(name_of(shape));
    const Tensors tensors(shape);
    const auto want = reference::conv_block_backward_data(shape, widen(tensors.dpooled),
                                                          tensors.winner, widen(tensors.filter));
    for_each_simd_target<TypeParam>([&] {
      const std::vector<float> dx = this->backward_data(shape, tensors);
      EXPECT_TRUE(all_close(dx, want, kSum));
      EXPECT_EQ(this->backward_data(shape, tensors, Base::kOffByOne), dx) << "off by one";
    });
  }
}

TYPED_TEST(ConvBlockTest, BackwardFilterMatchesReference) {
  for (const ConvBlockShape& shape : kShapes) {
    SCOPED_TRACE(name_of(shape));
    const Tensors tensors(shape);
    const auto want = reference::conv_block_backward_filter(shape, widen(tensors.x),
                                                            widen(tensors.dpooled), tensors.winner);
    for_each_simd_target<TypeParam>([&] {
      const FilterGradient got = this->backward_filter(shape, tensors);
      EXPECT_TRUE(all_close(got.dfilter, want.dfilter, kSum));
      EXPECT_TRUE(all_close(got.dbias, want.dbias, kSum));
      EXPECT_EQ(this->backward_filter(shape, tensors, Base::kOffByOne), got) << "off by one";

      auto dfilter = this->upload(tensors.filter, Base::kOffByOne);
      auto dbias = this->upload(tensors.bias);
      this->run_backward_filter(shape, tensors, Write::kAccumulate, Base::kAligned, dfilter.data(),
                                dbias.data());
      EXPECT_TRUE(all_close(dfilter.read(), accumulated(want.dfilter, tensors.filter), kSum));
      EXPECT_TRUE(all_close(dbias.read(), accumulated(want.dbias, tensors.bias), kSum));
    });
  }
}

TYPED_TEST(ConvBlockTest, AnImageDoesNotDependOnTheOthers) {
  for_each_simd_target<TypeParam>([this] {
    for (const ConvBlockShape& shape : kShapes) {
      if (shape.conv.N < 2) continue;
      const Tensors all(shape);
      ConvBlockShape single = shape;
      single.conv.N = 1;
      Tensors last(single);
      std::copy(all.x.end() - last.x.size(), all.x.end(), last.x.begin());
      const Forward want = this->forward(shape, all);
      const Forward got = this->forward(single, last);
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
    Tensors tensors(shape);
    tensors.x = {1, 2, -1, -2,  //
                 2, 0, -1, -3};
    tensors.filter = {1, -1, 0};
    tensors.bias = {0, 0, 0};
    const Forward got = this->forward(shape, tensors);
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
  const Tensors tensors(shape);
  const auto want = reference::conv_block_forward(shape, widen(tensors.x), widen(tensors.filter),
                                                  widen(tensors.bias));
  for_each_simd_target<TypeParam>([&] {
    const Forward got = this->forward(shape, tensors);
    EXPECT_TRUE(all_close(got.pooled, want.pooled, kSum));
    EXPECT_EQ(got.winner, want.winner);
  });
}

TYPED_TEST(ConvBlockTest, NanWinsAndStays) {
  for_each_simd_target<TypeParam>([this] {
    for (const ConvBlockShape& shape : kShapes) {
      if (shape.conv.N == 0) continue;
      SCOPED_TRACE(name_of(shape));
      for (const float sign : {1.0F, -1.0F}) {
        Tensors tensors(shape);
        tensors.x[tensors.x.size() / 2] = std::copysign(kNan, sign);
        const auto want = reference::conv_block_forward(shape, widen(tensors.x),
                                                        widen(tensors.filter), widen(tensors.bias));
        const Forward got = this->forward(shape, tensors);
        for (std::size_t i = 0; i < got.pooled.size(); ++i) {
          ASSERT_EQ(std::isnan(got.pooled[i]), std::isnan(want.pooled.value[i])) << i;
          if (!std::isnan(got.pooled[i])) continue;
          ASSERT_EQ(got.winner[i], want.winner[i]) << i;
        }
      }
    }
  });
}

TYPED_TEST(ConvBlockTest, NanGradientsPass) {
  for_each_simd_target<TypeParam>([this] {
    for (const ConvBlockShape& shape : kShapes) {
      if (shape.conv.N == 0) continue;
      SCOPED_TRACE(name_of(shape));
      Tensors tensors(shape);
      const std::size_t middle = tensors.dpooled.size() / 2;
      tensors.dpooled[middle] = kNan;
      tensors.winner[middle] = 0;
      const auto want_data = reference::conv_block_backward_data(
          shape, widen(tensors.dpooled), tensors.winner, widen(tensors.filter));
      const std::vector<float> dx = this->backward_data(shape, tensors);
      for (std::size_t i = 0; i < dx.size(); ++i) {
        ASSERT_EQ(std::isnan(dx[i]), std::isnan(want_data.value[i])) << i;
      }
      const FilterGradient got = this->backward_filter(shape, tensors);
      const std::size_t k = middle % static_cast<std::size_t>(shape.conv.K);
      for (std::size_t i = 0; i < got.dbias.size(); ++i) {
        ASSERT_EQ(std::isnan(got.dbias[i]), i == k) << i;
      }
      for (std::size_t i = 0; i < got.dfilter.size(); ++i) {
        // Padding may have kept it from some of the channel's taps, never from another channel.
        ASSERT_TRUE(!std::isnan(got.dfilter[i]) || i % got.dbias.size() == k) << i;
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
  EXPECT_THROW(conv_block_workspace_bytes(bad), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
