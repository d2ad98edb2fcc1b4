#include "kernels/softmax_cross_entropy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/softmax_cross_entropy.h"

namespace gradflip {
namespace {

using reference::widen;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr SoftmaxCrossEntropyShape kShapes[] = {
    {0, 10},  {1, 1},   {1, 2},    {3, 2},   {7, 10},   {64, 10},   {5, 31},
    {2, 129}, {129, 3}, {259, 10}, {33, 65}, {1030, 2}, {1, 65'536}};
constexpr float kSmoothings[] = {0.0F, 0.1F, 1.0F};

TEST(SoftmaxCrossEntropyReferenceTest, GradientIsTheDerivative) {
  for (const float label_smoothing : kSmoothings) {
    const std::vector<double> logits = widen(random_floats(4 * 5, 1));
    const std::vector<std::int32_t> labels = random_labels(4, 5, 2);
    const auto loss_of = [&](const std::vector<double>& changed) {
      return reference::softmax_cross_entropy(5, label_smoothing, 1.0, changed, labels).loss.value;
    };
    const auto result = reference::softmax_cross_entropy(5, label_smoothing, 0.25, logits, labels);
    EXPECT_TRUE(
        gradients_match(result.dlogits.value, central_differences(loss_of, logits, {0.25})));
  }
}

// Each row's own: what arrives at row i multiplies its gradient.
TEST(SoftmaxCrossEntropyReferenceTest, GradientOfARowIsTheDerivativeOfItsLoss) {
  const std::vector<double> logits = widen(random_floats(3 * 5, 13));
  const std::vector<std::int32_t> labels = random_labels(3, 5, 14);
  const std::vector<double> arriving = {0.5, -2.0, 0.0};
  const auto losses_of = [&](const std::vector<double>& changed) {
    return reference::softmax_cross_entropy_rows(5, 0.1, changed, labels).loss.value;
  };
  auto dlogits = reference::softmax_cross_entropy_rows(5, 0.1, logits, labels).dlogits.value;
  for (std::size_t i = 0; i < dlogits.size(); ++i) dlogits[i] *= arriving[i / 5];
  EXPECT_TRUE(gradients_match(dlogits, central_differences(losses_of, logits, arriving)));
}

template <typename Ctx>
class SoftmaxCrossEntropyTest : public BackendTest<Ctx> {
 protected:
  struct Output {
    std::vector<float> loss, dlogits;
  };
  Output run(std::int64_t num_classes, float label_smoothing, Scale scale,
             const std::vector<float>& logits, const std::vector<std::int32_t>& labels) {
    const auto input = this->upload(logits, Base::kOffByOne);
    const auto ids = this->upload(labels);
    auto loss = this->poisoned(1);
    auto dlogits = this->poisoned(input.size());
    softmax_cross_entropy(this->ctx(), {ids.size(), num_classes}, label_smoothing, scale,
                          input.data(), ids.data(), Write::kOverwrite, loss.data(), dlogits.data());
    return {loss.read(), dlogits.read()};
  }
  Output run_rows(std::int64_t num_classes, float label_smoothing, const std::vector<float>& logits,
                  const std::vector<std::int32_t>& labels) {
    const auto input = this->upload(logits, Base::kOffByOne);
    const auto ids = this->upload(labels);
    auto losses = this->poisoned(ids.size());
    auto dlogits = this->poisoned(input.size());
    softmax_cross_entropy_rows(this->ctx(), {ids.size(), num_classes}, label_smoothing,
                               input.data(), ids.data(), losses.data(), dlogits.data());
    return {losses.read(), dlogits.read()};
  }
};
TYPED_TEST_SUITE(SoftmaxCrossEntropyTest, Backends, BackendNames);

TYPED_TEST(SoftmaxCrossEntropyTest, MatchesReference) {
  for (const auto& [N, num_classes] : kShapes) {
    for (const float label_smoothing : kSmoothings) {
      SCOPED_TRACE(testing::Message() << N << " x " << num_classes << ", " << label_smoothing);
      std::vector<float> logits = random_floats(N * num_classes, 3);
      for (float& logit : logits) logit *= 8.0F;
      const std::vector<std::int32_t> labels = random_labels(N, num_classes, 4);
      const auto want = reference::softmax_cross_entropy(num_classes, label_smoothing, -1.5,
                                                         widen(logits), labels);
      const auto got =
          this->run(num_classes, label_smoothing, Scale{.factor = -1.5F}, logits, labels);
      EXPECT_TRUE(all_close(got.loss, want.loss, kSum));
      EXPECT_TRUE(all_close(got.dlogits, want.dlogits, kSum));
    }
  }
}

TYPED_TEST(SoftmaxCrossEntropyTest, RowsMatchReference) {
  for (const auto& [N, num_classes] : kShapes) {
    for (const float label_smoothing : kSmoothings) {
      SCOPED_TRACE(testing::Message() << N << " x " << num_classes << ", " << label_smoothing);
      std::vector<float> logits = random_floats(N * num_classes, 15);
      for (float& logit : logits) logit *= 8.0F;
      const std::vector<std::int32_t> labels = random_labels(N, num_classes, 16);
      const auto want = reference::softmax_cross_entropy_rows(num_classes, label_smoothing,
                                                              widen(logits), labels);
      const auto got = this->run_rows(num_classes, label_smoothing, logits, labels);
      EXPECT_TRUE(all_close(got.loss, want.loss, kSum));
      EXPECT_TRUE(all_close(got.dlogits, want.dlogits, kSum));
      // The summed form's gradient, to the bit.
      EXPECT_EQ(got.dlogits,
                this->run(num_classes, label_smoothing, Scale{}, logits, labels).dlogits);
    }
  }
}

TYPED_TEST(SoftmaxCrossEntropyTest, RowsWorkInPlaceAndWithoutGradient) {
  const std::vector<float> logits = random_floats(9 * 10, 17);
  const std::vector<std::int32_t> labels = random_labels(9, 10, 18);
  const auto want = this->run_rows(10, 0.1F, logits, labels);
  const auto ids = this->upload(labels);
  auto in_place = this->upload(logits);
  auto losses = this->poisoned(9);
  softmax_cross_entropy_rows(this->ctx(), {9, 10}, 0.1F, in_place.data(), ids.data(), losses.data(),
                             nullptr);
  EXPECT_EQ(losses.read(), want.loss);
  EXPECT_EQ(in_place.read(), logits);
  auto again = this->poisoned(9);
  softmax_cross_entropy_rows(this->ctx(), {9, 10}, 0.1F, in_place.data(), ids.data(), again.data(),
                             in_place.data());
  EXPECT_EQ(again.read(), want.loss);
  EXPECT_EQ(in_place.read(), want.dlogits);
}

TYPED_TEST(SoftmaxCrossEntropyTest, ARowAloneHasTheSameBits) {
  for (const std::int64_t num_classes : {3, 10, 65}) {
    const std::vector<float> logits = random_floats(7 * num_classes, 19);
    const auto together = this->run_rows(num_classes, 0.1F, logits, {0, 1, 2, 0, 1, 2, 1});
    const auto alone = this->run_rows(
        num_classes, 0.1F, std::vector<float>(logits.end() - num_classes, logits.end()), {1});
    EXPECT_EQ(alone.loss[0], together.loss[6]);
  }
}

TYPED_TEST(SoftmaxCrossEntropyTest, ScaleFollowsAValueInTheContextsMemory) {
  const std::vector<float> logits = random_floats(6 * 4, 5);
  const std::vector<std::int32_t> labels = random_labels(6, 4, 6);
  const auto times = this->upload(std::vector<float>{0.5F});
  const auto got = this->run(4, 0.0F, Scale{.factor = 3.0F, .times = times.data()}, logits, labels);
  const auto want = reference::softmax_cross_entropy(4, 0.0, 1.5, widen(logits), labels);
  EXPECT_TRUE(all_close(got.dlogits, want.dlogits, kSum));
  EXPECT_TRUE(all_close(got.loss, want.loss, kSum));  // the loss is not scaled
}

TYPED_TEST(SoftmaxCrossEntropyTest, AccumulatesTheLossAndWorksInPlace) {
  const std::vector<float> logits = random_floats(6 * 4, 7);
  const std::vector<std::int32_t> labels = random_labels(6, 4, 8);
  const auto want = reference::softmax_cross_entropy(4, 0.0, 1.0, widen(logits), labels);
  const auto ids = this->upload(labels);
  auto in_place = this->upload(logits);
  auto loss = this->upload(std::vector<float>{2.5F});
  softmax_cross_entropy(this->ctx(), {6, 4}, 0.0F, Scale{}, in_place.data(), ids.data(),
                        Write::kAccumulate, loss.data(), in_place.data());
  EXPECT_TRUE(all_close(loss.read(), reference::accumulated(want.loss, {2.5F}), kSum));
  EXPECT_TRUE(all_close(in_place.read(), want.dlogits, kSum));
}

TYPED_TEST(SoftmaxCrossEntropyTest, GradientMayBeLeftOut) {
  const std::vector<float> logits = random_floats(6 * 4, 9);
  const std::vector<std::int32_t> labels = random_labels(6, 4, 10);
  const auto input = this->upload(logits);
  const auto ids = this->upload(labels);
  auto loss = this->poisoned(1);
  softmax_cross_entropy(this->ctx(), {6, 4}, 0.1F, Scale{}, input.data(), ids.data(),
                        Write::kOverwrite, loss.data(), nullptr);
  const auto want =
      reference::softmax_cross_entropy(4, static_cast<double>(0.1F), 1.0, widen(logits), labels);
  EXPECT_TRUE(all_close(loss.read(), want.loss, kSum));
  EXPECT_EQ(input.read(), logits);
}

TYPED_TEST(SoftmaxCrossEntropyTest, EqualLogitsGiveTheLogarithmOfTheClasses) {
  for (const float logit : {0.0F, 1e4F, -1e4F, -200.0F}) {
    const auto got = this->run(10, 0.0F, Scale{}, std::vector<float>(20, logit), {3, 9});
    EXPECT_NEAR(got.loss[0], 2.0 * std::log(10.0), 1e-5);
    EXPECT_NEAR(got.dlogits[0], 0.1, 1e-7);
    EXPECT_NEAR(got.dlogits[3], -0.9, 1e-6);
  }
}

TYPED_TEST(SoftmaxCrossEntropyTest, ExtremeLogitsStayFinite) {
  const std::vector<float> logits = {1e4F, -1e4F, 0.0F, -1e4F, 1e4F, 1e4F};
  const auto got = this->run(3, 0.0F, Scale{}, logits, {1, 1});
  const auto want = reference::softmax_cross_entropy(3, 0.0, 1.0, widen(logits), {1, 1});
  EXPECT_TRUE(all_close(got.loss, want.loss, kSum));
  EXPECT_TRUE(all_close(got.dlogits, want.dlogits, kSum));
  EXPECT_NEAR(got.loss[0], 20000.0 + std::log(2.0), 1e-2);
}

TYPED_TEST(SoftmaxCrossEntropyTest, ANanReachesTheLossAndItsRowOnly) {
  for (std::size_t place = 0; place < 3; ++place) {
    std::vector<float> logits = random_floats(6, 11);
    logits[place] = std::nanf("");
    const auto got = this->run(3, 0.1F, Scale{}, logits, {0, 2});
    EXPECT_TRUE(std::isnan(got.loss[0]));
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(std::isnan(got.dlogits[i]), i < 3) << i;
    const auto rows = this->run_rows(3, 0.1F, logits, {0, 2});
    EXPECT_TRUE(std::isnan(rows.loss[0]));
    EXPECT_FALSE(std::isnan(rows.loss[1]));
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(std::isnan(rows.dlogits[i]), i < 3) << i;
  }
}

TYPED_TEST(SoftmaxCrossEntropyTest, RefusesBadArguments) {
  const auto run = [this](SoftmaxCrossEntropyShape shape, float label_smoothing) {
    return [this, shape, label_smoothing] {
      softmax_cross_entropy(this->ctx(), shape, label_smoothing, Scale{}, nullptr, nullptr,
                            Write::kOverwrite, nullptr, nullptr);
    };
  };
  const auto refused = [](const char* text) {
    return ThrowsMessage<std::invalid_argument>(HasSubstr(text));
  };
  EXPECT_THAT(run({-1, 3}, 0.0F), refused("N is -1"));
  EXPECT_THAT(run({0, 0}, 0.0F), refused("num_classes is 0"));
  EXPECT_THAT(run({0, 3}, 1.5F), refused("label_smoothing is 1.5"));
  EXPECT_THAT(run({0, 3}, std::nanf("")), refused("label_smoothing is nan"));
  const auto run_rows = [this](SoftmaxCrossEntropyShape shape, float label_smoothing) {
    return [this, shape, label_smoothing] {
      softmax_cross_entropy_rows(this->ctx(), shape, label_smoothing, nullptr, nullptr, nullptr,
                                 nullptr);
    };
  };
  EXPECT_THAT(run_rows({-1, 3}, 0.0F), refused("N is -1"));
  EXPECT_THAT(run_rows({0, 0}, 0.0F), refused("num_classes is 0"));
  EXPECT_THAT(run_rows({0, 3}, -0.5F), refused("label_smoothing is -0.5"));
}

// Digits that a subtraction of rounded probabilities would lose.
TYPED_TEST(SoftmaxCrossEntropyTest, ANearlyCertainRowKeepsItsDigits) {
  const std::vector<float> logits = {0.0F, 18.0F, -2.0F, 1.0F};
  const auto want = reference::softmax_cross_entropy(4, 0.0, 1.0, widen(logits), {1});
  const auto got = this->run(4, 0.0F, Scale{}, logits, {1});
  EXPECT_NEAR(got.loss[0] / want.loss.value[0], 1.0, 1e-6);
  EXPECT_NEAR(got.dlogits[1] / want.dlogits.value[1], 1.0, 1e-6);
}

// Gaps between logits beyond f32's range.
TYPED_TEST(SoftmaxCrossEntropyTest, TheLargestFiniteLogitsStayFinite) {
  const std::vector<float> logits = {3e38F, -3e38F, 0.0F};
  const auto got = this->run(3, 0.3F, Scale{}, logits, {0});
  EXPECT_FLOAT_EQ(got.loss[0], 0.9e38F);  // 0.1 * 6e38 + 0.1 * 3e38
  EXPECT_FLOAT_EQ(got.dlogits[0], 0.2F);
  EXPECT_FLOAT_EQ(got.dlogits[1], -0.1F);
}

// Only the CPU reads labels before it computes.
TEST(SoftmaxCrossEntropyCpuTest, RefusesALabelOutOfRange) {
  for (const std::int32_t label : {-1, 3}) {
    const std::vector<float> logits(6);
    const std::vector<std::int32_t> labels = {0, label};
    GuardedBuffer<float> loss(1);
    EXPECT_THAT(
        [&] {
          softmax_cross_entropy(Cpu{}, {2, 3}, 0.0F, Scale{}, logits.data(), labels.data(),
                                Write::kOverwrite, loss.data(), nullptr);
        },
        ThrowsMessage<std::invalid_argument>(
            HasSubstr("labels[1] is " + std::to_string(label) + ", must be in [0, 3)")));
    EXPECT_TRUE(std::isnan(loss.read()[0])) << "written before the check";
  }
}

// Other backends cannot throw for what only the device sees: the row says so itself.
TYPED_TEST(SoftmaxCrossEntropyTest, ALabelOutOfRangeDoesNotPassForALabel) {
  for (const std::int64_t num_classes : {3, 10, 40}) {
    for (const std::int32_t label : {-1, static_cast<std::int32_t>(num_classes)}) {
      const std::vector<float> logits = random_floats(2 * num_classes, 12);
      if constexpr (std::is_same_v<TypeParam, Cpu>) {
        EXPECT_THROW(this->run(num_classes, 0.1F, Scale{}, logits, {label, 2}),
                     std::invalid_argument);
        EXPECT_THROW(this->run_rows(num_classes, 0.1F, logits, {label, 2}), std::invalid_argument);
      } else {
        const auto got = this->run(num_classes, 0.1F, Scale{}, logits, {label, 2});
        EXPECT_TRUE(std::isnan(got.loss[0]));
        const auto rows = this->run_rows(num_classes, 0.1F, logits, {label, 2});
        EXPECT_TRUE(std::isnan(rows.loss[0]));
        EXPECT_FALSE(std::isnan(rows.loss[1]));
        for (std::int64_t i = 0; i < 2 * num_classes; ++i) {
          EXPECT_EQ(std::isnan(got.dlogits[i]), i < num_classes) << i;
          EXPECT_EQ(std::isnan(rows.dlogits[i]), i < num_classes) << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace gradflip
