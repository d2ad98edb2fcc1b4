#include "kernels/bce_with_logits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/bce_with_logits.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr std::int64_t kSizes[] = {0, 1, 2, 3, 7, 8, 9, 128, 1021, 2500};

// Domain labels are 0 and 1; anything between is allowed.
std::vector<float> labels_between(std::int64_t size) {
  std::vector<float> labels = random_floats(size, 1);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = i % 3 == 2 ? std::abs(labels[i]) : static_cast<float>(i % 3);
  }
  return labels;
}

std::vector<float> logits_up_to(float magnitude, std::int64_t size) {
  std::vector<float> logits = random_floats(size, 2);
  for (float& logit : logits) logit *= magnitude;
  return logits;
}

TEST(BceWithLogitsReferenceTest, GradientIsTheDerivative) {
  const std::vector<double> logits = widen(logits_up_to(4.0F, 9));
  const std::vector<double> labels = widen(labels_between(9));
  const auto loss_of = [&](const std::vector<double>& changed) {
    return reference::bce_with_logits(1.0, changed, labels).loss.value;
  };
  EXPECT_TRUE(gradients_match(reference::bce_with_logits(0.25, logits, labels).dlogits.value,
                              central_differences(loss_of, logits, {0.25})));
}

// Each row's own: what arrives at row n multiplies its gradient.
TEST(BceWithLogitsReferenceTest, GradientOfARowIsTheDerivativeOfItsLoss) {
  const std::vector<double> logits = widen(logits_up_to(4.0F, 4));
  const std::vector<double> labels = widen(labels_between(4));
  const std::vector<double> arriving = {0.5, -2.0, 0.0, 1.0};
  const auto losses_of = [&](const std::vector<double>& changed) {
    return reference::bce_with_logits_rows(changed, labels).loss.value;
  };
  std::vector<double> dlogits = reference::bce_with_logits_rows(logits, labels).dlogits.value;
  for (std::size_t n = 0; n < dlogits.size(); ++n) dlogits[n] *= arriving[n];
  EXPECT_TRUE(gradients_match(dlogits, central_differences(losses_of, logits, arriving)));
}

template <typename Ctx>
class BceWithLogitsTest : public BackendTest<Ctx> {
 protected:
  struct Output {
    std::vector<float> loss, dlogits;
  };
  Output run(Scale scale, const std::vector<float>& logits, const std::vector<float>& labels,
             float label_smoothing = 0.0F) {
    const auto input = this->upload(logits, Base::kOffByOne);
    const auto wanted = this->upload(labels);
    auto loss = this->poisoned(1);
    auto dlogits = this->poisoned(input.size());
    bce_with_logits(this->ctx(), input.size(), label_smoothing, scale, input.data(), wanted.data(),
                    Write::kOverwrite, loss.data(), dlogits.data());
    return {loss.read(), dlogits.read()};
  }
  Output run_rows(const std::vector<float>& logits, const std::vector<float>& labels) {
    const auto input = this->upload(logits, Base::kOffByOne);
    const auto wanted = this->upload(labels);
    auto losses = this->poisoned(input.size());
    auto dlogits = this->poisoned(input.size());
    bce_with_logits_rows(this->ctx(), input.size(), 0.0F, input.data(), wanted.data(),
                         losses.data(), nullptr, dlogits.data());
    return {losses.read(), dlogits.read()};
  }
};
TYPED_TEST_SUITE(BceWithLogitsTest, Backends, BackendNames);

TYPED_TEST(BceWithLogitsTest, MatchesReference) {
  for (const std::int64_t size : kSizes) {
    for (const float magnitude : {1.0F, 20.0F, 1e4F}) {
      SCOPED_TRACE(testing::Message() << size << " logits up to " << magnitude);
      const std::vector<float> logits = logits_up_to(magnitude, size);
      const std::vector<float> labels = labels_between(size);
      const auto want = reference::bce_with_logits(-1.5, widen(logits), widen(labels));
      const auto got = this->run(Scale{.factor = -1.5F}, logits, labels);
      EXPECT_TRUE(all_close(got.loss, want.loss, kSum));
      EXPECT_TRUE(all_close(got.dlogits, want.dlogits, kSum));
    }
  }
}

TYPED_TEST(BceWithLogitsTest, RowsMatchReference) {
  for (const std::int64_t size : kSizes) {
    for (const float magnitude : {1.0F, 20.0F, 1e4F}) {
      SCOPED_TRACE(testing::Message() << size << " logits up to " << magnitude);
      const std::vector<float> logits = logits_up_to(magnitude, size);
      const std::vector<float> labels = labels_between(size);
      const auto want = reference::bce_with_logits_rows(widen(logits), widen(labels));
      const auto got = this->run_rows(logits, labels);
      EXPECT_TRUE(all_close(got.loss, want.loss, kSum));
      EXPECT_TRUE(all_close(got.dlogits, want.dlogits, kSum));
      // The summed form's gradient, to the bit.
      EXPECT_EQ(got.dlogits, this->run(Scale{}, logits, labels).dlogits);
    }
  }
}

TYPED_TEST(BceWithLogitsTest, RowsWorkInPlaceAndWithoutGradient) {
  const std::vector<float> logits = logits_up_to(3.0F, 11);
  const std::vector<float> labels = labels_between(11);
  const auto want = this->run_rows(logits, labels);
  const auto wanted = this->upload(labels);
  auto in_place = this->upload(logits);
  auto losses = this->poisoned(11);
  bce_with_logits_rows(this->ctx(), 11, 0.0F, in_place.data(), wanted.data(), losses.data(),
                       nullptr, nullptr);
  EXPECT_EQ(losses.read(), want.loss);
  EXPECT_EQ(in_place.read(), logits);
  auto again = this->poisoned(11);
  bce_with_logits_rows(this->ctx(), 11, 0.0F, in_place.data(), wanted.data(), again.data(), nullptr,
                       in_place.data());
  EXPECT_EQ(again.read(), want.loss);
  EXPECT_EQ(in_place.read(), want.dlogits);
}

TYPED_TEST(BceWithLogitsTest, ScaleFollowsAValueInTheContextsMemory) {
  const std::vector<float> logits = logits_up_to(3.0F, 11);
  const std::vector<float> labels = labels_between(11);
  const auto times = this->upload(std::vector<float>{0.5F});
  const auto got = this->run(Scale{.factor = 3.0F, .times = times.data()}, logits, labels);
  const auto want = reference::bce_with_logits(1.5, widen(logits), widen(labels));
  EXPECT_TRUE(all_close(got.dlogits, want.dlogits, kSum));
  EXPECT_TRUE(all_close(got.loss, want.loss, kSum));  // the loss is not scaled
}

TYPED_TEST(BceWithLogitsTest, AccumulatesTheLossAndWorksInPlace) {
  const std::vector<float> logits = logits_up_to(3.0F, 11);
  const std::vector<float> labels = labels_between(11);
  const auto want = reference::bce_with_logits(1.0, widen(logits), widen(labels));
  const auto wanted = this->upload(labels);
  auto in_place = this->upload(logits);
  auto loss = this->upload(std::vector<float>{2.5F});
  bce_with_logits(this->ctx(), 11, 0.0F, Scale{}, in_place.data(), wanted.data(),
                  Write::kAccumulate, loss.data(), in_place.data());
  EXPECT_TRUE(all_close(loss.read(), reference::accumulated(want.loss, {2.5F}), kSum));
  EXPECT_TRUE(all_close(in_place.read(), want.dlogits, kSum));

  auto loss_only = this->poisoned(1);
  const auto input = this->upload(logits);
  bce_with_logits(this->ctx(), 11, 0.0F, Scale{}, input.data(), wanted.data(), Write::kOverwrite,
                  loss_only.data(), nullptr);
  EXPECT_TRUE(all_close(loss_only.read(), want.loss, kSum));
}

TYPED_TEST(BceWithLogitsTest, ChanceIsLnTwo) {
  const auto got = this->run(Scale{}, {0.0F, 0.0F}, {0.0F, 1.0F});
  EXPECT_NEAR(got.loss[0], 2.0 * std::log(2.0), 1e-6);
  EXPECT_EQ(got.dlogits, (std::vector<float>{0.5F, -0.5F}));
}

TYPED_TEST(BceWithLogitsTest, ExtremeLogitsStayFinite) {
  EXPECT_EQ(this->run(Scale{}, {1e4F, -1e4F}, {1.0F, 0.0F}).loss[0], 0.0F);
  const auto wrong = this->run(Scale{}, {1e4F, -1e4F, 3e38F}, {0.0F, 1.0F, 1.0F});
  EXPECT_EQ(wrong.loss[0], 2e4F);
  EXPECT_EQ(wrong.dlogits, (std::vector<float>{1.0F, -1.0F, 0.0F}));
}

// Digits that a subtraction of a rounded sigmoid would lose.
TYPED_TEST(BceWithLogitsTest, ANearlyCertainLogitKeepsItsDigits) {
  const auto want = reference::bce_with_logits(1.0, {18.0, -18.0}, {1.0, 0.0});
  const auto got = this->run(Scale{}, {18.0F, -18.0F}, {1.0F, 0.0F});
  EXPECT_NEAR(got.loss[0] / want.loss.value[0], 1.0, 1e-6);
  for (const std::size_t n : {0U, 1U}) {
    EXPECT_NEAR(got.dlogits[n] / want.dlogits.value[n], 1.0, 1e-6);
  }
}

TYPED_TEST(BceWithLogitsTest, ANanReachesTheLossAndItsRowOnly) {
  const auto got = this->run(Scale{}, {1.0F, std::nanf("")}, {1.0F, 0.0F});
  EXPECT_TRUE(std::isnan(got.loss[0]));
  EXPECT_FALSE(std::isnan(got.dlogits[0]));
  EXPECT_TRUE(std::isnan(got.dlogits[1]));
  const auto rows = this->run_rows({1.0F, std::nanf("")}, {1.0F, 0.0F});
  for (const std::size_t n : {0U, 1U}) {
    EXPECT_EQ(std::isnan(rows.loss[n]), n == 1) << n;
    EXPECT_EQ(std::isnan(rows.dlogits[n]), n == 1) << n;
  }
}

// The gradient is the smoothed labels', the loss that is shown of them the labels'.
TYPED_TEST(BceWithLogitsTest, SmoothsLabelsInTheGradient) {
  for (const std::int64_t size : {3, 128, 1021}) {
    const std::vector<float> logits = logits_up_to(20.0F, size), labels = labels_between(size);
    for (const float smoothing : {0.1F, 1.0F}) {
      const auto s = static_cast<double>(smoothing);
      const auto want = reference::bce_with_logits(-1.5, widen(logits), widen(labels), s);
      const auto got = this->run(Scale{.factor = -1.5F}, logits, labels, smoothing);
      EXPECT_TRUE(all_close(got.loss, want.loss, kSum));
      EXPECT_TRUE(all_close(got.dlogits, want.dlogits, kSum));
      EXPECT_EQ(got.loss, this->run(Scale{}, logits, labels).loss);

      const auto of_smoothed = reference::bce_with_logits_rows(
          widen(logits), reference::smoothed_labels(widen(labels), s));
      const auto of_labels = reference::bce_with_logits_rows(widen(logits), widen(labels));
      const auto input = this->upload(logits), wanted = this->upload(labels);
      auto losses = this->poisoned(size), plain = this->poisoned(size);
      auto dlogits = this->poisoned(size);
      bce_with_logits_rows(this->ctx(), size, smoothing, input.data(), wanted.data(), losses.data(),
                           plain.data(), dlogits.data());
      EXPECT_TRUE(all_close(losses.read(), of_smoothed.loss, kSum));
      EXPECT_TRUE(all_close(plain.read(), of_labels.loss, kSum));
      EXPECT_TRUE(all_close(dlogits.read(), of_smoothed.dlogits, kSum));
    }
  }
}

TYPED_TEST(BceWithLogitsTest, RefusesWhatIsOutOfRange) {
  const auto sum = [this](std::int64_t N, float smoothing) {
    bce_with_logits(this->ctx(), N, smoothing, Scale{}, nullptr, nullptr, Write::kOverwrite,
                    nullptr, nullptr);
  };
  const auto rows = [this](std::int64_t N, float smoothing) {
    bce_with_logits_rows(this->ctx(), N, smoothing, nullptr, nullptr, nullptr, nullptr, nullptr);
  };
  EXPECT_THROW(sum(-1, 0.0F), std::invalid_argument);
  EXPECT_THROW(rows(-1, 0.0F), std::invalid_argument);
  for (const float smoothing : {-0.1F, 1.5F, std::nanf("")}) {
    EXPECT_THROW(sum(0, smoothing), std::invalid_argument);
    EXPECT_THROW(rows(0, smoothing), std::invalid_argument);
  }
}

}  // namespace
}  // namespace gradflip
