#include "tests/support/gradcheck.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace gradflip {
namespace {

using Vector = std::vector<double>;

Vector sine_and_product(const Vector& x) { return {std::sin(x[0]), x[0] * x[1]}; }

TEST(GradcheckTest, FindsTheDerivative) {
  const Vector x = {0.3, -0.7};
  const Vector dy = {2.0, 0.5};
  const Vector numeric = central_differences(sine_and_product, x, dy);
  EXPECT_TRUE(gradients_match({2.0 * std::cos(x[0]) + 0.5 * x[1], 0.5 * x[0]}, numeric));
}

TEST(GradcheckTest, RefusesAWrongDerivative) {
  const Vector numeric = central_differences(sine_and_product, {0.3, -0.7}, {2.0, 0.5});
  Vector wrong = numeric;
  wrong[1] += 3e-6;
  EXPECT_FALSE(gradients_match(wrong, numeric));
  EXPECT_FALSE(gradients_match({numeric[0]}, numeric));
  EXPECT_FALSE(gradients_match({numeric[0], std::nan("")}, numeric));
  EXPECT_FALSE(gradients_match(numeric, {numeric[0], std::nan("")}));
}

}  // namespace
}  // namespace gradflip
