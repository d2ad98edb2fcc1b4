#include "kernels/mean_pool2d.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/kernels/pool_cases.h"
#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/mean_pool2d.h"

namespace gradflip {
namespace {

using reference::widen;

TEST(MeanPool2dReferenceTest, BackwardIsTheDerivative) {
  for (const Pool2dShape& shape : kPoolShapes) {
    if (input_size(shape) > 400) continue;  // two evaluations for each element
    SCOPED_TRACE(name_of(shape));
    const std::vector<double> dy = widen(random_floats(output_size(shape), 2));
    const auto y_of = [&](const std::vector<double>& x) {
      return reference::mean_pool2d_forward(shape, x).value;
    };
    EXPECT_TRUE(
        gradients_match(reference::mean_pool2d_backward(shape, dy).value,
                        central_differences(y_of, widen(random_floats(input_size(shape), 1)), dy)));
  }
}

template <typename Ctx>
class MeanPool2dTest : public BackendTest<Ctx> {
 protected:
  std::vector<float> forward(const Pool2dShape& shape, const std::vector<float>& x,
                             Base base = Base::kAligned) {
    const auto input = this->upload(x, base);
    auto y = this->poisoned(output_size(shape), base);
    mean_pool2d_forward(this->ctx(), shape, input.data(), y.data());
    return y.read();
  }
};
TYPED_TEST_SUITE(MeanPool2dTest, Backends, BackendNames);

TYPED_TEST(MeanPool2dTest, ForwardMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const Pool2dShape& shape : kPoolShapes) {
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        SCOPED_TRACE(name_of(shape));
        const std::vector<float> x = random_floats(input_size(shape), 3);
        EXPECT_TRUE(all_close(this->forward(shape, x, base),
                              reference::mean_pool2d_forward(shape, widen(x)), kSum));
      }
    }
  });
}

TYPED_TEST(MeanPool2dTest, BackwardMatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const Pool2dShape& shape : kPoolShapes) {
      SCOPED_TRACE(name_of(shape));
      const std::vector<float> dy = random_floats(output_size(shape), 4);
      const auto arriving = this->upload(dy, Base::kOffByOne);
      auto dx = this->poisoned(input_size(shape));
      mean_pool2d_backward(this->ctx(), shape, arriving.data(), dx.data());
      EXPECT_TRUE(all_close(dx.read(), reference::mean_pool2d_backward(shape, widen(dy)), kSum));
    }
  });
}

TYPED_TEST(MeanPool2dTest, PaddingDoesNotCount) {
  constexpr Pool2dShape kShape = {.N = 1, .H = 1, .W = 2, .C = 1, .pad_h = 1, .pad_w = 1};
  ASSERT_EQ(kShape.Q(), 2);
  EXPECT_EQ(this->forward(kShape, {3.0F, 5.0F}), (std::vector<float>{3.0F, 5.0F}));
}

TYPED_TEST(MeanPool2dTest, OddValuesStayInTheirWindows) {
  constexpr Pool2dShape kShape = {.N = 1, .H = 2, .W = 6, .C = 1};
  const float infinity = std::numeric_limits<float>::infinity();
  for_each_simd_target<TypeParam>([&, this] {
    const std::vector<float> y =
        this->forward(kShape, {1, 2, infinity, 4, 5, std::nanf(""), 3, 4, 7, -4, 9, 10});
    EXPECT_EQ(y[0], 2.5F);
    EXPECT_EQ(y[1], infinity);
    EXPECT_TRUE(std::isnan(y[2]));
  });
}

TYPED_TEST(MeanPool2dTest, RefusesBadGeometry) {
  Pool2dShape bad = {.N = 1, .H = 4, .W = 5, .C = 1};
  bad.pad_h = 2;
  EXPECT_THROW(mean_pool2d_forward(this->ctx(), bad, nullptr, nullptr), std::invalid_argument);
  EXPECT_THROW(mean_pool2d_backward(this->ctx(), bad, nullptr, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
