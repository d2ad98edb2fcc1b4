#include "kernels/softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/softmax.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr SoftmaxShape kSoftmaxShapes[] = {{0, 10}, {1, 1},   {1, 2},   {3, 2},   {7, 10},  {5, 16},
                                           {3, 17}, {65, 31}, {2, 129}, {33, 65}, {1, 1000}};
constexpr float kSoftmaxInfinity = std::numeric_limits<float>::infinity();

std::vector<float> logits_of(const SoftmaxShape& shape, std::uint64_t seed, float range = 8.0F) {
  std::vector<float> logits = random_floats(shape.N * shape.num_classes, seed);
  for (float& logit : logits) logit *= range;
  return logits;
}

TEST(SoftmaxReferenceTest, BackwardIsTheDerivative) {
  const std::vector<double> x = widen(random_floats(4 * 5, 1)), dy = widen(random_floats(4 * 5, 2));
  const auto softmax_of = [](const std::vector<double>& at) {
    return reference::softmax(5, at).value;
  };
  EXPECT_TRUE(gradients_match(reference::softmax_backward(5, softmax_of(x), dy).value,
                              central_differences(softmax_of, x, dy)));
  const auto log_softmax_of = [](const std::vector<double>& at) {
    return reference::log_softmax(5, at).value;
  };
  EXPECT_TRUE(gradients_match(reference::log_softmax_backward(5, log_softmax_of(x), dy).value,
                              central_differences(log_softmax_of, x, dy)));
}

template <typename Ctx>
class SoftmaxTest : public BackendTest<Ctx> {
 protected:
  using Forward = void (*)(Ctx, const SoftmaxShape&, const float*, float*);
  using Backward = void (*)(Ctx, const SoftmaxShape&, const float*, const float*, float*);
  static constexpr Forward kForward = softmax, kLogForward = log_softmax;
  static constexpr Backward kBackward = softmax_backward, kLogBackward = log_softmax_backward;

  std::vector<float> run(Forward forward, const SoftmaxShape& shape,
                         const std::vector<float>& logits, Base base = Base::kAligned) {
    const auto input = this->upload(logits, base);
    auto y = this->poisoned(input.size(), base);
    forward(this->ctx(), shape, input.data(), y.data());
    return y.read();
  }
  std::vector<float> run(Backward backward, const SoftmaxShape& shape, const std::vector<float>& y,
                         const std::vector<float>& dy) {
    const auto output = this->upload(y), arriving = this->upload(dy, Base::kOffByOne);
    auto dx = this->poisoned(output.size());
    backward(this->ctx(), shape, output.data(), arriving.data(), dx.data());
    return dx.read();
  }
};
TYPED_TEST_SUITE(SoftmaxTest, Backends, BackendNames);

TYPED_TEST(SoftmaxTest, ForwardMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const SoftmaxShape& shape : kSoftmaxShapes) {
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        SCOPED_TRACE(testing::Message() << shape.N << " x " << shape.num_classes);
        const std::vector<float> logits = logits_of(shape, 3);
        EXPECT_TRUE(all_close(this->run(this->kForward, shape, logits, base),
                              reference::softmax(shape.num_classes, widen(logits)), kSum));
        EXPECT_TRUE(all_close(this->run(this->kLogForward, shape, logits, base),
                              reference::log_softmax(shape.num_classes, widen(logits)), kSum));
      }
    }
  });
}

TYPED_TEST(SoftmaxTest, BackwardMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const SoftmaxShape& shape : kSoftmaxShapes) {
      SCOPED_TRACE(testing::Message() << shape.N << " x " << shape.num_classes);
      const std::int64_t C = shape.num_classes;
      const std::vector<float> logits = logits_of(shape, 4), dy = logits_of(shape, 5, 1.0F);
      const std::vector<float> y = this->run(this->kForward, shape, logits);
      EXPECT_TRUE(all_close(this->run(this->kBackward, shape, y, dy),
                            reference::softmax_backward(C, widen(y), widen(dy)), kSum));
      const std::vector<float> log_y = this->run(this->kLogForward, shape, logits);
      EXPECT_TRUE(all_close(this->run(this->kLogBackward, shape, log_y, dy),
                            reference::log_softmax_backward(C, widen(log_y), widen(dy)), kSum));
    }
  });
}

TYPED_TEST(SoftmaxTest, WorksInPlace) {
  for (const SoftmaxShape& shape : {SoftmaxShape{7, 10}, SoftmaxShape{3, 65}}) {
    const std::vector<float> logits = logits_of(shape, 6), dy = logits_of(shape, 7, 1.0F);
    for (const auto forward : {this->kForward, this->kLogForward}) {
      auto y = this->upload(logits);
      forward(this->ctx(), shape, y.data(), y.data());
      EXPECT_EQ(y.read(), this->run(forward, shape, logits));
    }
    for (const auto backward : {this->kBackward, this->kLogBackward}) {
      const std::vector<float> want = this->run(backward, shape, logits, dy);
      auto y = this->upload(logits), arriving = this->upload(dy);
      backward(this->ctx(), shape, y.data(), arriving.data(), arriving.data());
      EXPECT_EQ(arriving.read(), want);
      arriving.write(dy);
      backward(this->ctx(), shape, y.data(), arriving.data(), y.data());
      EXPECT_EQ(y.read(), want);
    }
  }
}

TYPED_TEST(SoftmaxTest, ARowAloneHasTheSameBits) {
  for (const std::int64_t C : {3, 10, 65}) {
    const std::vector<float> logits = logits_of({7, C}, 8);
    const std::vector<float> last(logits.end() - C, logits.end());
    for (const auto forward : {this->kForward, this->kLogForward}) {
      const std::vector<float> together = this->run(forward, {7, C}, logits);
      EXPECT_EQ(std::vector<float>(together.end() - C, together.end()),
                this->run(forward, {1, C}, last));
    }
  }
}

// The largest logit's probability rounds to 1, and how much it lacks of that does not get lost.
TYPED_TEST(SoftmaxTest, NearlyCertainRowsKeepTheirDigits) {
  for_each_simd_target<TypeParam>([this] {
    const std::vector<float> log_y = this->run(this->kLogForward, {1, 3}, {30.0F, 0.0F, -1.0F});
    EXPECT_NEAR(log_y[0], -(std::exp(-30.0) + std::exp(-31.0)), 1e-18);
    EXPECT_EQ(this->run(this->kLogForward, {2, 1}, {5.0F, -1e30F}), (std::vector<float>{0, 0}));
  });
}

TYPED_TEST(SoftmaxTest, AnyFiniteLogitsGiveNumbers) {
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  const std::vector<float> logits = {1e4F,   -1e4F, 1e4F, -200.0F, -200.0F,  -200.0F,
                                     -3e38F, 3e38F, 0.0F, kLowest, -kLowest, -kLowest};
  for_each_simd_target<TypeParam>([&, this] {
    const std::vector<float> y = this->run(this->kForward, {4, 3}, logits);
    const std::vector<double> want = {0.5, 0, 0.5, 1. / 3, 1. / 3, 1. / 3, 0, 1, 0, 0, 0.5, 0.5};
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], want[i], 1e-7) << i;
    const std::vector<float> log_y = this->run(this->kLogForward, {4, 3}, logits);
    EXPECT_NEAR(log_y[1], -2e4 - std::log(2.0), 1e-2);
    EXPECT_NEAR(log_y[4], -std::log(3.0), 1e-6);
    EXPECT_EQ(log_y[6], kLowest);
    EXPECT_EQ(log_y[7], 0.0F);
    EXPECT_EQ(log_y[9], kLowest);
    for (const float number : log_y) EXPECT_TRUE(std::isfinite(number));
  });
}

TYPED_TEST(SoftmaxTest, OddLogits) {
  const float nan = std::nanf("");
  for_each_simd_target<TypeParam>([&, this] {
    EXPECT_EQ(this->run(this->kForward, {1, 2}, {-kSoftmaxInfinity, 1.0F}),
              (std::vector<float>{0, 1}));
    EXPECT_EQ(this->run(this->kLogForward, {1, 2}, {-kSoftmaxInfinity, 1.0F}),
              (std::vector<float>{-kSoftmaxInfinity, 0}));
    for (const std::int64_t C : {3, 40}) {
      for (const float odd : {nan, kSoftmaxInfinity, -kSoftmaxInfinity}) {
        for (const std::int64_t at : {std::int64_t{0}, C - 1}) {
          // Beside a row that is none the worse.
          std::vector<float> logits(static_cast<std::size_t>(2 * C), 1.0F);
          logits[static_cast<std::size_t>(C + at)] = odd;
          if (odd < 0) std::fill(logits.begin() + C, logits.end(), odd);
          for (const auto forward : {this->kForward, this->kLogForward}) {
            const std::vector<float> y = this->run(forward, {2, C}, logits);
            for (std::int64_t j = 0; j < 2 * C; ++j) {
              EXPECT_EQ(std::isnan(y[static_cast<std::size_t>(j)]), j >= C) << odd << " " << j;
            }
          }
        }
      }
    }
  });
}

TYPED_TEST(SoftmaxTest, RefusesImpossibleSizes) {
  for (const SoftmaxShape& bad : {SoftmaxShape{-1, 3}, SoftmaxShape{2, 0}}) {
    EXPECT_THROW(softmax(this->ctx(), bad, nullptr, nullptr), std::invalid_argument);
    EXPECT_THROW(log_softmax(this->ctx(), bad, nullptr, nullptr), std::invalid_argument);
    EXPECT_THROW(softmax_backward(this->ctx(), bad, nullptr, nullptr, nullptr),
                 std::invalid_argument);
    EXPECT_THROW(log_softmax_backward(this->ctx(), bad, nullptr, nullptr, nullptr),
                 std::invalid_argument);
  }
}

}  // namespace
}  // namespace gradflip
