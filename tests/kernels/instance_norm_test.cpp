#include "kernels/instance_norm.h"

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
#include "tests/support/reference/instance_norm.h"

namespace gradflip {
namespace {

using reference::widen;

// Fewer channels than lanes of a vector, as many, and more, with a rest of each kind.
constexpr InstanceNormShape kNormShapes[] = {{0, 4, 3},  {1, 1, 1},   {2, 784, 1}, {3, 49, 3},
                                             {2, 35, 5}, {1, 17, 15}, {2, 9, 16},  {2, 7, 37},
                                             {1, 5, 70}, {1, 300, 2}, {2, 3, 3}};

std::int64_t size_of(const InstanceNormShape& shape) { return shape.N * shape.pixels * shape.C; }

std::string name_of(const InstanceNormShape& shape) {
  return testing::PrintToString(std::vector<std::int64_t>{shape.N, shape.pixels, shape.C});
}

TEST(InstanceNormReferenceTest, BackwardIsTheDerivative) {
  constexpr InstanceNormShape kShape{2, 7, 3, 0.1F};
  const std::vector<double> x = widen(random_floats(size_of(kShape), 1));
  const std::vector<double> dy = widen(random_floats(size_of(kShape), 2));
  const auto y_of = [&](const std::vector<double>& at) {
    return reference::instance_norm_forward(kShape, at).y;
  };
  const auto [y, rstd] = reference::instance_norm_forward(kShape, x);
  EXPECT_TRUE(gradients_match(reference::instance_norm_backward(kShape, y, rstd, dy),
                              central_differences(y_of, x, dy)));
}

template <typename Ctx>
class InstanceNormTest : public BackendTest<Ctx> {
 protected:
  struct Output {
    std::vector<float> y, rstd;
  };
  Output forward(const InstanceNormShape& shape, const std::vector<float>& x,
                 Base base = Base::kAligned) {
    const auto input = this->upload(x, base);
    auto y = this->poisoned(input.size(), base);
    auto rstd = this->poisoned(shape.N * shape.C, base);
    instance_norm_forward(this->ctx(), shape, input.data(), y.data(), rstd.data());
    return {y.read(), rstd.read()};
  }
  // An error of sums in f32 of numbers like these.
  static testing::AssertionResult near(const std::vector<float>& got,
                                       const std::vector<double>& want, double scale = 4.0) {
    return all_close(got, want, std::vector<double>(want.size(), scale), kSum);
  }
};
TYPED_TEST_SUITE(InstanceNormTest, Backends, BackendNames);

TYPED_TEST(InstanceNormTest, MatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const InstanceNormShape& shape : kNormShapes) {
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        SCOPED_TRACE(name_of(shape));
        const std::vector<float> x = random_floats(size_of(shape), 3);
        const std::vector<float> dy = random_floats(size_of(shape), 4);
        const auto want = reference::instance_norm_forward(shape, widen(x));
        const auto got = this->forward(shape, x, base);
        if (shape.pixels > 1) {  // else 0, of which rstd makes what eps lets it
          EXPECT_TRUE(all_close(got.rstd, want.rstd, kSum));
        }
        EXPECT_TRUE(this->near(got.y, want.y));

        const auto y = this->upload(got.y, base), rstd = this->upload(got.rstd);
        const auto arriving = this->upload(dy, base);
        auto dx = this->poisoned(size_of(shape), base);
        instance_norm_backward(this->ctx(), shape, y.data(), rstd.data(), arriving.data(),
                               dx.data());
        const double largest =
            got.rstd.empty() ? 1.0 : *std::max_element(got.rstd.begin(), got.rstd.end());
        EXPECT_TRUE(this->near(
            dx.read(),
            reference::instance_norm_backward(shape, widen(got.y), widen(got.rstd), widen(dy)),
            4.0 * largest));
      }
    }
  });
}

// The mean is a thousand times the deviation, which f32 holds to about four digits.
TYPED_TEST(InstanceNormTest, ALargeMeanCostsNoDigits) {
  for_each_simd_target<TypeParam>([this] {
    for (const std::int64_t C : {1, 3, 16, 20}) {
      const InstanceNormShape shape{2, 784, C};
      std::vector<float> x = random_floats(size_of(shape), 5);
      for (float& number : x) number += 1000.0F;
      const auto want = reference::instance_norm_forward(shape, widen(x));
      const auto got = this->forward(shape, x);
      EXPECT_TRUE(all_close(got.rstd, want.rstd, kSum));
      EXPECT_TRUE(this->near(got.y, want.y));
    }
  });
}

TYPED_TEST(InstanceNormTest, EqualNumbersBecomeZero) {
  for (const float number : {0.0F, 0.3F, -1000.0F, 1e9F}) {
    const InstanceNormShape shape{1, 100, 3};
    const auto got = this->forward(shape, std::vector<float>(300, number));
    for (const float y : got.y) EXPECT_NEAR(y, 0.0F, 1e-6F * std::abs(number) * got.rstd[0]);
    for (const float rstd : got.rstd) EXPECT_TRUE(rstd > 0.0F && std::isfinite(rstd));
  }
}

TYPED_TEST(InstanceNormTest, OddValuesStayInTheirChannels) {
  for_each_simd_target<TypeParam>([this] {
    for (const float odd : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
      for (const std::int64_t C : {3, 18}) {
        const InstanceNormShape shape{2, 33, C};
        std::vector<float> x = random_floats(size_of(shape), 6);
        const auto before = this->forward(shape, x);
        const std::int64_t at = (33 + 32) * C + 1;  // the last pixel of the second picture
        x[static_cast<std::size_t>(at)] = odd;
        const auto got = this->forward(shape, x);
        for (std::int64_t i = 0; i < size_of(shape); ++i) {
          const auto element = static_cast<std::size_t>(i);
          const bool is_odd = i >= 33 * C && i % C == 1;
          EXPECT_EQ(std::isnan(got.y[element]), is_odd) << i;
          if (!is_odd) {
            EXPECT_EQ(got.y[element], before.y[element]) << i;
          }
        }
      }
    }
  });
}

TYPED_TEST(InstanceNormTest, RefusesImpossibleSizes) {
  for (const InstanceNormShape& bad :
       {InstanceNormShape{-1, 1, 1}, InstanceNormShape{1, 0, 1}, InstanceNormShape{1, 1, 0},
        InstanceNormShape{1, 1, 1, 0.0F}, InstanceNormShape{1, 1, 1, std::nanf("")}}) {
    EXPECT_THROW(instance_norm_forward(this->ctx(), bad, nullptr, nullptr, nullptr),
                 std::invalid_argument);
    EXPECT_THROW(instance_norm_backward(this->ctx(), bad, nullptr, nullptr, nullptr, nullptr),
                 std::invalid_argument);
  }
}

}  // namespace
}  // namespace gradflip
