#include "kernels/arg_max.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

template <typename Ctx>
class ArgMaxTest : public BackendTest<Ctx> {
 protected:
  std::vector<std::int32_t> classes_of(std::int64_t num_classes, const std::vector<float>& logits) {
    const auto input = this->upload(logits, Base::kOffByOne);
    const std::int64_t N = input.size() / num_classes;
    auto classes = this->template poisoned<std::int32_t>(N);
    arg_max_rows(this->ctx(), N, num_classes, input.data(), classes.data());
    return classes.read();
  }
};
TYPED_TEST_SUITE(ArgMaxTest, Backends, BackendNames);

TYPED_TEST(ArgMaxTest, IsTheClassThatNoOtherExceeds) {
  for (const std::int64_t N : {0, 1, 7, 257}) {
    for (const std::int64_t num_classes : {1, 2, 4, 5, 10, 33, 65}) {
      // Every logit of the matrix is different, so the largest of a row is a plain fact.
      const std::vector<float> logits = separated_floats(N * num_classes, 1);
      std::vector<std::int32_t> want;
      for (std::int64_t i = 0; i < N; ++i) {
        for (std::int64_t k = 0; k < num_classes; ++k) {
          bool largest = true;
          for (std::int64_t j = 0; j < num_classes; ++j) {
            largest = largest && logits[i * num_classes + j] <= logits[i * num_classes + k];
          }
          if (largest) want.push_back(static_cast<std::int32_t>(k));
        }
      }
      EXPECT_EQ(this->classes_of(num_classes, logits), want) << N << " x " << num_classes;
    }
  }
}

TYPED_TEST(ArgMaxTest, OfEqualLogitsTheFirstIsTheAnswer) {
  using Classes = std::vector<std::int32_t>;
  const float lowest = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(this->classes_of(3, {1, 2, 2, 2, 2, 1}), (Classes{1, 0}));
  EXPECT_EQ(this->classes_of(2, {lowest, lowest, 0.0F, -0.0F, -0.0F, 0.0F}), (Classes{0, 0, 0}));
  for (const std::int64_t num_classes : {10, 65}) {
    std::vector<float> logits(static_cast<std::size_t>(num_classes), 1.0F);
    for (std::int64_t j = 3; j < num_classes; ++j) logits[j] = 2.0F;
    EXPECT_EQ(this->classes_of(num_classes, logits), Classes{3});
  }
}

TYPED_TEST(ArgMaxTest, ARowWithANanSaysNothing) {
  for (const std::int64_t num_classes : {1, 3, 10, 65}) {
    for (std::int64_t place = 0; place < num_classes; ++place) {
      std::vector<float> logits(static_cast<std::size_t>(3 * num_classes));
      for (std::int64_t i = 0; i < 3; ++i) logits[i * num_classes + num_classes / 2] = 1.0F;
      logits[num_classes + place] = std::nanf("");
      const auto middle = static_cast<std::int32_t>(num_classes / 2);
      EXPECT_EQ(this->classes_of(num_classes, logits),
                (std::vector<std::int32_t>{middle, -1, middle}))
          << num_classes << ", " << place;
    }
  }
}

TYPED_TEST(ArgMaxTest, RefusesBadSizes) {
  EXPECT_THROW(arg_max_rows(this->ctx(), -1, 2, nullptr, nullptr), std::invalid_argument);
  EXPECT_THROW(arg_max_rows(this->ctx(), 0, 0, nullptr, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
