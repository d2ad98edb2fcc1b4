#include "kernels/relu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/relu.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr std::int64_t kSizes[] = {0, 1, 2, 3, 7, 8, 9, 31, 33, 1021};

TEST(ReluReferenceTest, BackwardIsTheDerivative) {
  const std::vector<double> x = widen(separated_floats(50, 1));
  const std::vector<double> dy = widen(random_floats(50, 2));
  EXPECT_TRUE(gradients_match(reference::relu_backward(reference::relu_forward(x), dy),
                              central_differences(reference::relu_forward, x, dy)));
}

template <typename Ctx>
class ReluTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(ReluTest, Backends, BackendNames);

TYPED_TEST(ReluTest, ForwardMatchesReference) {
  for (const std::int64_t size : kSizes) {
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      SCOPED_TRACE(size);
      const std::vector<float> x = random_floats(size, 3);
      const auto input = this->upload(x, base);
      auto y = this->poisoned(size, base);
      relu_forward(this->ctx(), size, input.data(), y.data());
      EXPECT_TRUE(all_close(y.read(), reference::relu_forward(widen(x)), 0.0));
    }
  }
}

TYPED_TEST(ReluTest, BackwardMatchesReference) {
  for (const std::int64_t size : kSizes) {
    SCOPED_TRACE(size);
    const std::vector<float> y = random_floats(size, 4);
    const std::vector<float> dy = random_floats(size, 5);
    const auto output = this->upload(y);
    const auto arriving = this->upload(dy, Base::kOffByOne);
    auto dx = this->poisoned(size);
    relu_backward(this->ctx(), size, output.data(), arriving.data(), dx.data());
    EXPECT_TRUE(all_close(dx.read(), reference::relu_backward(widen(y), widen(dy)), 0.0));
  }
}

TYPED_TEST(ReluTest, WorksInPlace) {
  const std::vector<float> x = random_floats(37, 6);
  const std::vector<float> dy = random_floats(37, 7);
  auto y = this->upload(x);
  relu_forward(this->ctx(), y.size(), y.data(), y.data());
  EXPECT_TRUE(all_close(y.read(), reference::relu_forward(widen(x)), 0.0));
  auto dx = this->upload(dy);
  relu_backward(this->ctx(), dx.size(), y.data(), dx.data(), dx.data());
  EXPECT_TRUE(all_close(dx.read(), reference::relu_backward(widen(y.read()), widen(dy)), 0.0));
}

TYPED_TEST(ReluTest, OddValues) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> x = {std::nanf(""), kInfinity, -kInfinity, -0.0F, kTiny, -kTiny, 1e38F};
  const auto input = this->upload(x);
  auto y = this->poisoned(input.size());
  relu_forward(this->ctx(), input.size(), input.data(), y.data());
  const std::vector<float> got = y.read();
  EXPECT_TRUE(std::isnan(got[0]));
  EXPECT_EQ(std::vector<float>(got.begin() + 1, got.end()),
            (std::vector<float>{kInfinity, 0.0F, 0.0F, kTiny, 0.0F, 1e38F}));

  const auto dy = this->upload(std::vector<float>(x.size(), 2.0F));
  auto dx = this->poisoned(input.size());
  relu_backward(this->ctx(), input.size(), y.data(), dy.data(), dx.data());
  EXPECT_EQ(dx.read(), (std::vector<float>{2.0F, 2.0F, 0.0F, 0.0F, 2.0F, 0.0F, 2.0F}));
}

TYPED_TEST(ReluTest, RefusesANegativeSize) {
  EXPECT_THROW(relu_forward(this->ctx(), -1, nullptr, nullptr), std::invalid_argument);
  EXPECT_THROW(relu_backward(this->ctx(), -1, nullptr, nullptr, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
