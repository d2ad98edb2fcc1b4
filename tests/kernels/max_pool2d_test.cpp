#include "kernels/max_pool2d.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "tests/kernels/pool_cases.h"
#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/max_pool2d.h"

namespace gradflip {
namespace {

using reference::widen;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(MaxPool2dReferenceTest, BackwardIsTheDerivative) {
  for (const Pool2dShape& shape : kPoolShapes) {
    if (input_size(shape) > 400) continue;  // two evaluations for each element
    SCOPED_TRACE(name_of(shape));
    const std::vector<double> x = widen(separated_floats(input_size(shape), 1));
    const auto forward = reference::max_pool2d_forward(shape, x);
    const std::vector<double> dy =
        widen(random_floats(static_cast<std::int64_t>(forward.y.size()), 2));
    const auto y_of = [&](const std::vector<double>& changed) {
      return reference::max_pool2d_forward(shape, changed).y;
    };
    EXPECT_TRUE(gradients_match(reference::max_pool2d_backward(shape, dy, forward.winner).value,
                                central_differences(y_of, x, dy)));
  }
}

template <typename Ctx>
class MaxPool2dTest : public BackendTest<Ctx> {
 protected:
  struct Output {
    std::vector<float> y;
    std::vector<std::int32_t> winner;
  };
  Output run(const Pool2dShape& shape, const std::vector<float>& x, Base base = Base::kAligned) {
    const auto input = this->upload(x, base);
    const std::int64_t size = shape.N * shape.P() * shape.Q() * shape.C;
    auto y = this->poisoned(size, base);
    auto winner = this->template poisoned<std::int32_t>(size, base);
    max_pool2d_forward(this->ctx(), shape, input.data(), y.data(), winner.data());
    return {y.read(), winner.read()};
  }
};
TYPED_TEST_SUITE(MaxPool2dTest, Backends, BackendNames);

TYPED_TEST(MaxPool2dTest, ForwardMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const Pool2dShape& shape : kPoolShapes) {
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        SCOPED_TRACE(name_of(shape));
        const std::vector<float> x = random_floats(input_size(shape), 3);
        const auto want = reference::max_pool2d_forward(shape, widen(x));
        const auto got = this->run(shape, x, base);
        EXPECT_TRUE(all_close(got.y, want.y, 0.0));
        EXPECT_EQ(got.winner, want.winner);
      }
    }
  });
}

TYPED_TEST(MaxPool2dTest, BackwardMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const Pool2dShape& shape : kPoolShapes) {
      SCOPED_TRACE(name_of(shape));
      const std::vector<float> x = random_floats(input_size(shape), 4);
      const auto forward = reference::max_pool2d_forward(shape, widen(x));
      const std::vector<float> dy = random_floats(output_size(shape), 5);
      const auto arriving = this->upload(dy, Base::kOffByOne);
      const auto winner = this->upload(forward.winner);
      auto dx = this->poisoned(input_size(shape));
      max_pool2d_backward(this->ctx(), shape, arriving.data(), winner.data(), dx.data());
      EXPECT_TRUE(all_close(
          dx.read(), reference::max_pool2d_backward(shape, widen(dy), forward.winner), kSum));
    }
  });
}

// Of the x that was pooled, what the pool made.
TYPED_TEST(MaxPool2dTest, TakeFollowsTheWinners) {
  for (const Pool2dShape& shape : kPoolShapes) {
    SCOPED_TRACE(name_of(shape));
    const auto pooled = this->run(shape, random_floats(input_size(shape), 6));
    const std::vector<float> other = random_floats(input_size(shape), 7);
    const auto x = this->upload(random_floats(input_size(shape), 6));
    const auto v = this->upload(other);
    const auto winner = this->upload(pooled.winner);
    auto y = this->poisoned(output_size(shape));
    max_pool2d_take(this->ctx(), shape, x.data(), winner.data(), y.data());
    EXPECT_EQ(y.read(), pooled.y);
    // Of another, the transpose of the way back: (take v) . dy = v . (backward dy).
    max_pool2d_take(this->ctx(), shape, v.data(), winner.data(), y.data());
    const std::vector<float> taken = y.read(), dy = random_floats(output_size(shape), 8);
    const auto dx = reference::max_pool2d_backward(shape, widen(dy), pooled.winner);
    double forth = 0.0, back = 0.0;
    for (std::size_t i = 0; i < taken.size(); ++i) forth += taken[i] * double{dy[i]};
    for (std::size_t i = 0; i < other.size(); ++i) back += other[i] * dx.value[i];
    EXPECT_NEAR(forth, back, 1e-9);
  }
}

// Where no dy arrives, an infinite one beside it leaves nothing.
TYPED_TEST(MaxPool2dTest, OddGradientsReachTheirWinnersOnly) {
  constexpr Pool2dShape kShape = {.N = 1, .H = 2, .W = 4, .C = 1};
  const float infinity = std::numeric_limits<float>::infinity();
  for_each_simd_target<TypeParam>([&, this] {
    const auto dy = this->upload(std::vector<float>{infinity, std::nanf("")});
    const auto winner = this->upload(std::vector<std::int32_t>{1, 2});
    auto dx = this->poisoned(8);
    max_pool2d_backward(this->ctx(), kShape, dy.data(), winner.data(), dx.data());
    const std::vector<float> got = dx.read();
    EXPECT_EQ(got[1], infinity);
    EXPECT_TRUE(std::isnan(got[6]));
    for (const std::size_t other : {0, 2, 3, 4, 5, 7}) EXPECT_EQ(got[other], 0.0F);
  });
}

TYPED_TEST(MaxPool2dTest, OfEqualValuesTheFirstWins) {
  constexpr Pool2dShape kShape = {.N = 1, .H = 2, .W = 4, .C = 1};
  const auto got = this->run(kShape, {1, 2, 0, 0,  //
                                      2, 2, 0, 0});
  EXPECT_EQ(got.y, (std::vector<float>{2, 0}));
  EXPECT_EQ(got.winner, (std::vector<std::int32_t>{1, 0}));
}

TYPED_TEST(MaxPool2dTest, PaddingNeverWins) {
  constexpr Pool2dShape kShape = {
      .N = 1, .H = 1, .W = 1, .C = 2, .window_h = 3, .window_w = 3, .pad_h = 2, .pad_w = 1};
  ASSERT_EQ(kShape.P(), 2);
  const float lowest = -std::numeric_limits<float>::infinity();
  const auto got = this->run(kShape, {lowest, -7.0F});
  EXPECT_EQ(got.y, (std::vector<float>{lowest, -7.0F, lowest, -7.0F}));
  EXPECT_EQ(got.winner, (std::vector<std::int32_t>{7, 7, 1, 1}));
}

TYPED_TEST(MaxPool2dTest, ANanBeatsEveryNumber) {
  constexpr Pool2dShape kShape = {.N = 1, .H = 2, .W = 2, .C = 1};
  const float nan = std::nanf("");
  const float infinity = std::numeric_limits<float>::infinity();
  for (std::int32_t place = 0; place < 4; ++place) {
    std::vector<float> x = {infinity, 3.0F, -1.0F, infinity};
    x[place] = nan;
    const auto got = this->run(kShape, x);
    EXPECT_TRUE(std::isnan(got.y[0])) << place;
    EXPECT_EQ(got.winner[0], place);
  }
  EXPECT_EQ(this->run(kShape, {1.0F, nan, nan, infinity}).winner[0], 1);
}

constexpr Pool2dShape kGoodPool = {.N = 1, .H = 4, .W = 5, .C = 1};

TYPED_TEST(MaxPool2dTest, RefusesBadGeometryWithItsNumbers) {
  const auto run = [&](void (*spoil)(Pool2dShape&)) {
    return [this, spoil] {
      Pool2dShape shape = kGoodPool;
      spoil(shape);
      max_pool2d_forward(this->ctx(), shape, nullptr, nullptr, nullptr);
    };
  };
  const auto refused = [](const char* text) {
    return ThrowsMessage<std::invalid_argument>(HasSubstr(text));
  };
  EXPECT_THAT(run([](Pool2dShape& shape) { shape.N = -1; }), refused("N is -1"));
  EXPECT_THAT(run([](Pool2dShape& shape) { shape.C = 0; }), refused("C is 0"));
  EXPECT_THAT(run([](Pool2dShape& shape) { shape.W = 0; }), refused("width size is 0"));
  EXPECT_THAT(run([](Pool2dShape& shape) { shape.window_h = 0; }), refused("window 0"));
  EXPECT_THAT(run([](Pool2dShape& shape) { shape.stride_w = 0; }), refused("stride 0"));
  EXPECT_THAT(run([](Pool2dShape& shape) { shape.pad_h = 2; }), refused("padding is 2"));
  EXPECT_THAT(run([](Pool2dShape& shape) { shape.pad_w = -1; }), refused("padding is -1"));
  EXPECT_THAT(run([](Pool2dShape& shape) { shape.window_h = 5; }),
              refused("window is 5 along the height, the padded input has 4"));

  Pool2dShape bad = kGoodPool;
  bad.stride_h = 0;
  EXPECT_THROW(max_pool2d_backward(this->ctx(), bad, nullptr, nullptr, nullptr),
               std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
