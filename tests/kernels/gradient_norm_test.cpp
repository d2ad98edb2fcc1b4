#include "kernels/gradient_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/support/backends.h"
#include "tests/support/random_data.h"
#include "tests/support/update_kinds.h"

namespace gradflip {
namespace {

constexpr float kNoLimit = std::numeric_limits<float>::infinity();

struct Clipped {
  float norm, factor;
};

template <typename Ctx>
class GradientNormTest : public BackendTest<Ctx> {
 protected:
  Clipped clipped(const std::vector<float>& gradients, float max_norm,
                  const std::vector<UpdateKind>& kinds = {}, Base base = Base::kAligned) {
    const auto gradient = this->upload(gradients, base);
    const auto kind = this->upload(kinds);
    const std::int64_t bytes = gradient_norm_scratch_bytes(this->ctx(), gradient.size());
    auto scratch = this->template poisoned<double>(bytes / 8);
    auto norm = this->poisoned(1), factor = this->poisoned(1);
    gradient_norm(this->ctx(), {.size = gradient.size(),
                                .kinds = kinds.empty() ? nullptr : kind.data(),
                                .max_norm = max_norm,
                                .gradient = gradient.data(),
                                .norm = norm.data(),
                                .factor = factor.data(),
                                .scratch = scratch.data()});
    return {norm.read()[0], factor.read()[0]};
  }
};
TYPED_TEST_SUITE(GradientNormTest, Backends, BackendNames);

TYPED_TEST(GradientNormTest, MatchesThePlainSumInDouble) {
  for (const std::int64_t size : {0, 1, 15, 16, 17, 100, 2047, 2048, 2049, 4097, 20000}) {
    SCOPED_TRACE(size);
    const std::vector<float> gradients = random_floats(size, 1);
    const std::vector<UpdateKind> mixed = mixed_kinds(size);
    for (const bool some : {false, true}) {
      double squares = 0.0;
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        const auto g = static_cast<double>(gradients[i]);
        if (!some || mixed[i / kUpdateRun] != UpdateKind::kNone) squares += g * g;
      }
      const double want = std::sqrt(squares);
      for (const double share : {0.5, 2.0}) {
        const auto max_norm = static_cast<float>(share * want + 0.25);
        const Clipped got = this->clipped(gradients, max_norm, some ? mixed : decltype(mixed){});
        EXPECT_NEAR(got.norm, want, 1e-7 * want);
        EXPECT_NEAR(got.factor, std::min(1.0, static_cast<double>(max_norm) / (want + 1e-6)), 1e-7);
      }
    }
  }
}

// sqrt(3^2 + 4^2 + 12^2) = 13: torch's clip_grad_norm_ multiplies by 6.5 / (13 + 1e-6).
TYPED_TEST(GradientNormTest, ByHand) {
  const Clipped half = this->clipped({3.0F, -4.0F, 12.0F}, 6.5F);
  EXPECT_EQ(half.norm, 13.0F);
  EXPECT_EQ(half.factor, static_cast<float>(6.5 / 13.000001));
  EXPECT_EQ(this->clipped({3.0F, -4.0F, 12.0F}, 14.0F).factor, 1.0F);
  EXPECT_EQ(this->clipped({3.0F, -4.0F, 12.0F}, kNoLimit).factor, 1.0F);
}

TYPED_TEST(GradientNormTest, IsRightForTheLargestAndTheSmallestNumbers) {
  const Clipped large = this->clipped({3e38F, 3e38F}, 1.0F);
  EXPECT_EQ(large.norm, kNoLimit);  // 4.2e38 is none of f32
  EXPECT_GT(large.factor, 0.0F);
  EXPECT_NEAR(this->clipped({3e20F, 4e20F}, 1.0F).norm, 5e20, 1e14);
  EXPECT_NEAR(this->clipped({3e-30F, 4e-30F}, 1.0F).norm, 5e-30, 1e-36);
}

TYPED_TEST(GradientNormTest, ANanStaysOneUnlessItIsNotAskedFor) {
  std::vector<float> gradients = random_floats(40, 1);
  gradients[20] = std::nanf("");
  const Clipped got = this->clipped(gradients, 1.0F);
  EXPECT_TRUE(std::isnan(got.norm));
  EXPECT_TRUE(std::isnan(got.factor));
  const std::vector<UpdateKind> others{UpdateKind::kWithDecay, UpdateKind::kNone,
                                       UpdateKind::kWithoutDecay};
  EXPECT_TRUE(std::isfinite(this->clipped(gradients, 1.0F, others).norm));
  gradients[20] = kNoLimit;
  EXPECT_EQ(this->clipped(gradients, 1.0F).norm, kNoLimit);
  EXPECT_EQ(this->clipped(gradients, 1.0F).factor, 0.0F);
}

TYPED_TEST(GradientNormTest, TheOrderIsFixed) {
  const std::vector<float> gradients = random_floats(70'001, 2);
  const float first = this->clipped(gradients, 1.0F).norm;
  EXPECT_EQ(this->clipped(gradients, 1.0F).norm, first);
  EXPECT_EQ(this->clipped(gradients, 1.0F, {}, Base::kOffByOne).norm, first);
}

TYPED_TEST(GradientNormTest, RefusesWhatIsNoNorm) {
  EXPECT_THROW(this->clipped({1.0F}, 0.0F), std::invalid_argument);
  EXPECT_THROW(this->clipped({1.0F}, std::nanf("")), std::invalid_argument);
  EXPECT_THROW(gradient_norm(this->ctx(), {.size = -1}), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
