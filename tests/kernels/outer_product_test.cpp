#include "kernels/outer_product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/outer_product.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr OuterProductShape kOuterShapes[] = {{0, 3, 4},  {1, 1, 1},   {5, 3, 2},  {2, 10, 33},
                                              {3, 7, 16}, {33, 2, 17}, {2, 65, 5}, {1, 3, 300}};

TEST(OuterProductReferenceTest, BackwardIsTheDerivative) {
  constexpr OuterProductShape kShape{2, 3, 4};
  const std::vector<double> a = widen(random_floats(6, 1)), b = widen(random_floats(8, 2));
  const std::vector<double> dy = widen(random_floats(24, 3));
  const auto of_a = [&](const std::vector<double>& at) {
    return reference::outer_product_forward(kShape, at, b);
  };
  const auto of_b = [&](const std::vector<double>& at) {
    return reference::outer_product_forward(kShape, a, at);
  };
  EXPECT_TRUE(gradients_match(reference::outer_product_backward_a(kShape, dy, b).value,
                              central_differences(of_a, a, dy)));
  EXPECT_TRUE(gradients_match(reference::outer_product_backward_b(kShape, dy, a).value,
                              central_differences(of_b, b, dy)));
}

template <typename Ctx>
class OuterProductTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(OuterProductTest, Backends, BackendNames);

TYPED_TEST(OuterProductTest, MatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const OuterProductShape& shape : kOuterShapes) {
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        const auto& [N, A, B] = shape;
        SCOPED_TRACE(testing::Message() << N << " x " << A << " x " << B);
        const std::vector<float> left = random_floats(N * A, 1), right = random_floats(N * B, 2);
        const std::vector<float> arriving = random_floats(N * A * B, 3);
        const auto a = this->upload(left, base), b = this->upload(right, base);
        const auto dy = this->upload(arriving, base);
        auto y = this->poisoned(N * A * B, base);
        outer_product_forward(this->ctx(), shape, a.data(), b.data(), y.data());
        EXPECT_TRUE(all_close(y.read(),
                              reference::outer_product_forward(shape, widen(left), widen(right)),
                              kElementwise));
        auto da = this->poisoned(N * A), db = this->poisoned(N * B);
        outer_product_backward_a(this->ctx(), shape, dy.data(), b.data(), da.data());
        outer_product_backward_b(this->ctx(), shape, dy.data(), a.data(), db.data());
        EXPECT_TRUE(all_close(
            da.read(), reference::outer_product_backward_a(shape, widen(arriving), widen(right)),
            kSum));
        EXPECT_TRUE(all_close(
            db.read(), reference::outer_product_backward_b(shape, widen(arriving), widen(left)),
            kSum));
      }
    }
  });
}

TYPED_TEST(OuterProductTest, OddValuesStayInTheirRows) {
  constexpr OuterProductShape kShape{2, 2, 3};
  const float infinity = std::numeric_limits<float>::infinity();
  for_each_simd_target<TypeParam>([&, this] {
    const auto a = this->upload(std::vector<float>{infinity, 1, std::nanf(""), 2});
    const auto b = this->upload(std::vector<float>{0, 1, -1, 3, 4, 5});
    auto y = this->poisoned(12);
    outer_product_forward(this->ctx(), kShape, a.data(), b.data(), y.data());
    const std::vector<float> got = y.read();
    EXPECT_TRUE(std::isnan(got[0]));
    EXPECT_EQ(got[1], infinity);
    EXPECT_EQ(got[2], -infinity);
    EXPECT_EQ(std::vector<float>(got.begin() + 3, got.begin() + 6), (std::vector<float>{0, 1, -1}));
    for (const std::size_t i : {6, 7, 8}) EXPECT_TRUE(std::isnan(got[i]));
    EXPECT_EQ(std::vector<float>(got.begin() + 9, got.end()), (std::vector<float>{6, 8, 10}));
  });
}

TYPED_TEST(OuterProductTest, RefusesImpossibleSizes) {
  for (const OuterProductShape& bad :
       {OuterProductShape{-1, 1, 1}, OuterProductShape{1, 0, 1}, OuterProductShape{1, 1, 0}}) {
    EXPECT_THROW(outer_product_forward(this->ctx(), bad, nullptr, nullptr, nullptr),
                 std::invalid_argument);
    EXPECT_THROW(outer_product_backward_a(this->ctx(), bad, nullptr, nullptr, nullptr),
                 std::invalid_argument);
    EXPECT_THROW(outer_product_backward_b(this->ctx(), bad, nullptr, nullptr, nullptr),
                 std::invalid_argument);
  }
}

}  // namespace
}  // namespace gradflip
