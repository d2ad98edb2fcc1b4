#include "kernels/relu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/relu.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr std::int64_t kReluSizes[] = {0, 1, 2, 3, 7, 8, 9, 31, 33, 1021};

// Within the range of the tests' numbers.
constexpr Rectifier kTestRectifiers[] = {{},
                                         {.slope = 0.1F},
                                         {.slope = 0.25F, .cap = 0.5F},
                                         {.cap = 0.5F},
                                         kIdentity,
                                         {.slope = 1.0F, .cap = 0.25F}};

std::string name_of(const Rectifier& rectifier) {
  return testing::PrintToString(std::vector<float>{rectifier.slope, rectifier.cap});
}

TEST(ReluReferenceTest, BackwardIsTheDerivative) {
  for (const Rectifier& rectifier : kTestRectifiers) {
    const std::vector<double> x = widen(separated_floats(50, 1));
    const std::vector<double> dy = widen(random_floats(50, 2));
    const auto forward = [&](const std::vector<double>& at) {
      return reference::relu_forward(at, rectifier);
    };
    EXPECT_TRUE(gradients_match(reference::relu_backward(forward(x), dy, rectifier),
                                central_differences(forward, x, dy)))
        << name_of(rectifier);
  }
}

TEST(RectifierTest, OnlyThePlainOneIsARelu) {
  EXPECT_TRUE(Rectifier{}.is_relu());
  EXPECT_FALSE(Rectifier{.slope = 0.1F}.is_relu());
  EXPECT_FALSE(Rectifier{.cap = 6.0F}.is_relu());
  EXPECT_FALSE(kIdentity.is_relu());
}

template <typename Ctx>
class ReluTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(ReluTest, Backends, BackendNames);

TYPED_TEST(ReluTest, ForwardMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const Rectifier& rectifier : kTestRectifiers) {
      for (const std::int64_t size : kReluSizes) {
        for (const Base base : {Base::kAligned, Base::kOffByOne}) {
          SCOPED_TRACE(name_of(rectifier) + ", size " + std::to_string(size));
          const std::vector<float> x = random_floats(size, 3);
          const auto input = this->upload(x, base);
          auto y = this->poisoned(size, base);
          relu_forward(this->ctx(), size, input.data(), y.data(), rectifier);
          EXPECT_TRUE(
              all_close(y.read(), reference::relu_forward(widen(x), rectifier), kElementwise));
        }
      }
    }
  });
}

TYPED_TEST(ReluTest, BackwardMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const Rectifier& rectifier : kTestRectifiers) {
      for (const std::int64_t size : kReluSizes) {
        SCOPED_TRACE(name_of(rectifier) + ", size " + std::to_string(size));
        const std::vector<float> y = random_floats(size, 4);
        const std::vector<float> dy = random_floats(size, 5);
        const auto output = this->upload(y);
        const auto arriving = this->upload(dy, Base::kOffByOne);
        auto dx = this->poisoned(size);
        relu_backward(this->ctx(), size, output.data(), arriving.data(), dx.data(), rectifier);
        EXPECT_TRUE(all_close(dx.read(), reference::relu_backward(widen(y), widen(dy), rectifier),
                              kElementwise));
      }
    }
  });
}

TYPED_TEST(ReluTest, WorksInPlace) {
  for (const Rectifier& rectifier : {Rectifier{}, Rectifier{.slope = 0.1F, .cap = 0.5F}}) {
    const std::vector<float> x = random_floats(37, 6);
    const std::vector<float> dy = random_floats(37, 7);
    auto y = this->upload(x);
    relu_forward(this->ctx(), y.size(), y.data(), y.data(), rectifier);
    EXPECT_TRUE(all_close(y.read(), reference::relu_forward(widen(x), rectifier), kElementwise));
    auto dx = this->upload(dy);
    relu_backward(this->ctx(), dx.size(), y.data(), dx.data(), dx.data(), rectifier);
    EXPECT_TRUE(all_close(
        dx.read(), reference::relu_backward(widen(y.read()), widen(dy), rectifier), kElementwise));
  }
}

constexpr float kReluInfinity = std::numeric_limits<float>::infinity();
constexpr float kReluTiny = std::numeric_limits<float>::denorm_min();

// What comes of a NaN and these, and of 2 on the way back through them.
struct OddRectified {
  Rectifier rectifier;
  std::vector<float> y, dx;
};

TYPED_TEST(ReluTest, OddValues) {
  const std::vector<float> x = {std::nanf(""), kReluInfinity, -kReluInfinity, -0.0F,
                                kReluTiny,     -kReluTiny,    1e38F};
  const OddRectified cases[] = {
      {{},
       {kReluInfinity, 0.0F, 0.0F, kReluTiny, 0.0F, 1e38F},
       {2.0F, 2.0F, 0.0F, 0.0F, 2.0F, 0.0F, 2.0F}},
      {{.slope = 0.5F},
       {kReluInfinity, -kReluInfinity, 0.0F, kReluTiny, 0.0F, 1e38F},
       {2.0F, 2.0F, 1.0F, 1.0F, 2.0F, 1.0F, 2.0F}},
      {{.cap = 6.0F},
       {6.0F, 0.0F, 0.0F, kReluTiny, 0.0F, 6.0F},
       {2.0F, 0.0F, 0.0F, 0.0F, 2.0F, 0.0F, 0.0F}},
      {kIdentity,
       {kReluInfinity, -kReluInfinity, 0.0F, kReluTiny, -kReluTiny, 1e38F},
       {2.0F, 2.0F, 2.0F, 2.0F, 2.0F, 2.0F, 2.0F}}};
  for_each_simd_target<TypeParam>([&, this] {
    for (const OddRectified& odd : cases) {
      SCOPED_TRACE(name_of(odd.rectifier));
      const auto input = this->upload(x);
      auto y = this->poisoned(input.size());
      relu_forward(this->ctx(), input.size(), input.data(), y.data(), odd.rectifier);
      const std::vector<float> got = y.read();
      EXPECT_TRUE(std::isnan(got[0]));
      EXPECT_EQ(std::vector<float>(got.begin() + 1, got.end()), odd.y);

      const auto dy = this->upload(std::vector<float>(x.size(), 2.0F));
      auto dx = this->poisoned(input.size());
      relu_backward(this->ctx(), input.size(), y.data(), dy.data(), dx.data(), odd.rectifier);
      EXPECT_EQ(dx.read(), odd.dx);
    }
  });
}

TYPED_TEST(ReluTest, RefusesWhatIsNoRectifier) {
  EXPECT_THROW(relu_forward(this->ctx(), -1, nullptr, nullptr), std::invalid_argument);
  EXPECT_THROW(relu_backward(this->ctx(), -1, nullptr, nullptr, nullptr), std::invalid_argument);
  for (const Rectifier& bad :
       {Rectifier{.slope = -0.1F}, Rectifier{.slope = 1.5F}, Rectifier{.slope = std::nanf("")},
        Rectifier{.cap = 0.0F}, Rectifier{.cap = std::nanf("")}}) {
    EXPECT_THROW(relu_forward(this->ctx(), 0, nullptr, nullptr, bad), std::invalid_argument);
    EXPECT_THROW(relu_backward(this->ctx(), 0, nullptr, nullptr, nullptr, bad),
                 std::invalid_argument);
  }
}

}  // namespace
}  // namespace gradflip
