// Gradient reversal is deliberately not the derivative of its forward, so a naive gradient check
// must fail on it. What must hold instead is shown on a small network in double: feature x * w_f,
// domain logit grl(feature) * w_d, domain loss BCE; label loss half the squared feature.
#include "kernels/grl.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/bce_with_logits.h"
#include "tests/support/reference/grl.h"

namespace gradflip {
namespace {

using reference::widen;
using Vector = std::vector<double>;

struct TinyDann {
  Vector x = {0.7, -1.3, 0.4, 2.1};
  Vector domain_labels = {0.0, 0.0, 1.0, 1.0};
  double lambda = 0.0;

  Vector features(double feature_weight) const {
    Vector values = x;
    for (double& value : values) value *= feature_weight;
    return values;
  }
  reference::Loss domain_loss(double feature_weight, double domain_weight) const {
    Vector logits = reference::grl_forward(features(feature_weight));
    for (double& logit : logits) logit *= domain_weight;
    return reference::bce_with_logits(1.0, logits, domain_labels);
  }
  double label_loss(double feature_weight) const {
    double loss = 0.0;
    for (const double value : features(feature_weight)) loss += 0.5 * value * value;
    return loss;
  }

  struct Gradient {
    double feature_weight = 0.0, domain_weight = 0.0;
  };
  // Backpropagation, with the reversal between the domain classifier and the feature extractor.
  Gradient gradient(double feature_weight, double domain_weight) const {
    const Vector feature = features(feature_weight);
    const Vector dlogits = domain_loss(feature_weight, domain_weight).dlogits.value;
    Vector dfeature = dlogits;
    for (double& value : dfeature) value *= domain_weight;
    dfeature = reference::grl_backward(lambda, dfeature);
    Gradient result;
    for (std::size_t n = 0; n < x.size(); ++n) {
      result.domain_weight += dlogits[n] * feature[n];
      result.feature_weight += (dfeature[n] + feature[n]) * x[n];
    }
    return result;
  }
};

constexpr double kFeatureWeight = 0.6;
constexpr double kDomainWeight = -1.1;

double domain_slope_of_feature_weight(const TinyDann& dann) {
  return central_differences(
      [&](const Vector& w) { return dann.domain_loss(w[0], kDomainWeight).loss.value; },
      {kFeatureWeight}, {1.0})[0];
}

double label_slope_of_feature_weight(const TinyDann& dann) {
  return central_differences([&](const Vector& w) { return Vector{dann.label_loss(w[0])}; },
                             {kFeatureWeight}, {1.0})[0];
}

TEST(GrlReferenceTest, ANaiveGradientCheckFails) {
  const Vector x = widen(random_floats(7, 1));
  const Vector dy = widen(random_floats(7, 2));
  const Vector numeric = central_differences(reference::grl_forward, x, dy);
  for (const double lambda : {0.0, 0.5, 1.0}) {
    EXPECT_FALSE(gradients_match(reference::grl_backward(lambda, dy), numeric)) << lambda;
  }
  Vector reversed = numeric;
  for (double& value : reversed) value *= -0.5;
  EXPECT_TRUE(gradients_match(reference::grl_backward(0.5, dy), reversed));
}

TEST(GrlReferenceTest, FeatureExtractorSeesTheReversedDomainLoss) {
  for (const double lambda : {0.0, 0.5, 1.0}) {
    const TinyDann dann{.lambda = lambda};
    const double domain = domain_slope_of_feature_weight(dann);
    const double label = label_slope_of_feature_weight(dann);
    const double got = dann.gradient(kFeatureWeight, kDomainWeight).feature_weight;
    EXPECT_TRUE(gradients_match({got}, {label - lambda * domain})) << lambda;
    EXPECT_FALSE(gradients_match({got}, {label + domain})) << lambda;
  }
}

TEST(GrlReferenceTest, DomainClassifierSeesItsOwnLossUnreversed) {
  for (const double lambda : {0.0, 0.5, 1.0}) {
    const TinyDann dann{.lambda = lambda};
    const Vector numeric = central_differences(
        [&](const Vector& w) { return dann.domain_loss(kFeatureWeight, w[0]).loss.value; },
        {kDomainWeight}, {1.0});
    EXPECT_TRUE(
        gradients_match({dann.gradient(kFeatureWeight, kDomainWeight).domain_weight}, numeric));
  }
}

template <typename Ctx>
class GrlTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(GrlTest, Backends, BackendNames);

TYPED_TEST(GrlTest, BackwardMatchesReference) {
  for (const std::int64_t size : {0, 1, 2, 3, 7, 8, 9, 33, 1021}) {
    for (const float lambda : {0.0F, 0.5F, 1.0F, 2.5F}) {
      SCOPED_TRACE(testing::Message() << size << ", lambda " << lambda);
      const std::vector<float> dy = random_floats(size, 3);
      const auto arriving = this->upload(dy, Base::kOffByOne);
      const Vector want = reference::grl_backward(static_cast<double>(lambda), widen(dy));

      auto dx = this->poisoned(size);
      grl_backward(this->ctx(), size, Scale{.factor = lambda}, arriving.data(), dx.data());
      EXPECT_TRUE(all_close(dx.read(), want, kElementwise));

      auto in_place = this->upload(dy);
      grl_backward(this->ctx(), size, Scale{.factor = lambda}, in_place.data(), in_place.data());
      EXPECT_TRUE(all_close(in_place.read(), want, kElementwise));
    }
  }
}

TYPED_TEST(GrlTest, LambdaFollowsAValueInTheContextsMemory) {
  const std::vector<float> dy = random_floats(5, 4);
  const auto arriving = this->upload(dy);
  const auto lambda = this->upload(std::vector<float>{0.25F});
  auto dx = this->poisoned(5);
  const Scale scale{.factor = 3.0F, .times = lambda.data()};
  grl_backward(this->ctx(), 5, scale, arriving.data(), dx.data());
  EXPECT_TRUE(all_close(dx.read(), reference::grl_backward(0.75, widen(dy)), kElementwise));
}

TYPED_TEST(GrlTest, ANanStaysANan) {
  const auto arriving = this->upload(std::vector<float>{std::nanf(""), 1.0F});
  auto dx = this->poisoned(2);
  grl_backward(this->ctx(), 2, Scale{.factor = 0.0F}, arriving.data(), dx.data());
  EXPECT_TRUE(std::isnan(dx.read()[0]));
  EXPECT_EQ(dx.read()[1], 0.0F);
}

TYPED_TEST(GrlTest, RefusesANegativeSize) {
  EXPECT_THROW(grl_backward(this->ctx(), -1, Scale{}, nullptr, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
