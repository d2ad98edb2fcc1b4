#include "kernels/bias.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>

#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/bias.h"

namespace gradflip {
namespace {

using reference::widen;

// Rows and channels.
constexpr std::pair<std::int64_t, std::int64_t> kShapes[] = {
    {0, 5}, {1, 1}, {3, 0}, {2, 3}, {7, 31}, {5, 63}, {5, 64}, {5, 65}, {3, 131}, {9973, 2}};

TEST(BiasReferenceTest, BackwardIsTheDerivative) {
  const std::vector<double> x = widen(random_floats(15, 1));
  const std::vector<double> bias = widen(random_floats(3, 2));
  const std::vector<double> dy = widen(random_floats(15, 3));
  const auto of_bias = [&](const std::vector<double>& b) {
    return reference::bias_forward(x, b).value;
  };
  EXPECT_TRUE(gradients_match(reference::bias_backward(dy, 3).value,
                              central_differences(of_bias, bias, dy)));
}

template <typename Ctx>
class BiasTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(BiasTest, Backends, BackendNames);

TYPED_TEST(BiasTest, ForwardMatchesReference) {
  for (const auto& [rows, channels] : kShapes) {
    SCOPED_TRACE(testing::Message() << rows << " x " << channels);
    const std::vector<float> x = random_floats(rows * channels, 4);
    const std::vector<float> bias = random_floats(channels, 5);
    const auto input = this->upload(x);
    const auto values = this->upload(bias, Base::kOffByOne);
    auto y = this->poisoned(rows * channels);
    bias_forward(this->ctx(), rows, channels, input.data(), values.data(), y.data());
    const reference::Sums want = reference::bias_forward(widen(x), widen(bias));
    EXPECT_TRUE(all_close(y.read(), want, kElementwise));

    auto in_place = this->upload(x, Base::kOffByOne);
    bias_forward(this->ctx(), rows, channels, in_place.data(), values.data(), in_place.data());
    EXPECT_TRUE(all_close(in_place.read(), want, kElementwise));
  }
}

TYPED_TEST(BiasTest, BackwardMatchesReference) {
  for (const auto& [rows, channels] : kShapes) {
    SCOPED_TRACE(testing::Message() << rows << " x " << channels);
    const std::vector<float> dy = random_floats(rows * channels, 6);
    const std::vector<float> old = random_floats(channels, 7);
    const auto arriving = this->upload(dy, Base::kOffByOne);
    const reference::Sums want = reference::bias_backward(widen(dy), channels);

    auto dbias = this->poisoned(channels);
    bias_backward(this->ctx(), rows, channels, arriving.data(), Write::kOverwrite, dbias.data());
    EXPECT_TRUE(all_close(dbias.read(), want, kSum));

    auto added = this->upload(old);
    bias_backward(this->ctx(), rows, channels, arriving.data(), Write::kAccumulate, added.data());
    EXPECT_TRUE(all_close(added.read(), reference::accumulated(want, old), kSum));
  }
}

TYPED_TEST(BiasTest, RefusesNegativeSizes) {
  EXPECT_THROW(bias_forward(this->ctx(), -1, 2, nullptr, nullptr, nullptr), std::invalid_argument);
  EXPECT_THROW(bias_backward(this->ctx(), 2, -1, nullptr, Write::kOverwrite, nullptr),
               std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
