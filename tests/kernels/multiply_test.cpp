#include "kernels/multiply.h"

#include <gtest/gtest.h>

#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

template <typename Ctx>
class MultiplyTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(MultiplyTest, Backends, BackendNames);

TYPED_TEST(MultiplyTest, IsExact) {
  for (const std::int64_t size : {0, 1, 3, 4, 5, 18, 97, 1023}) {
    const std::vector<float> a_values = random_floats(size, 1);
    const std::vector<float> b_values = random_floats(size, 2);
    std::vector<float> want(a_values);
    for (std::size_t i = 0; i < want.size(); ++i) want[i] *= b_values[i];
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      const auto a = this->upload(a_values, base);
      const auto b = this->upload(b_values);
      auto y = this->poisoned(size, base);
      multiply(this->ctx(), size, a.data(), b.data(), y.data());
      EXPECT_EQ(y.read(), want);
    }
  }
}

TYPED_TEST(MultiplyTest, InPlace) {
  auto y = this->upload(std::vector<float>{1, -2, 3, 4, -5});
  multiply(this->ctx(), 5, y.data(), y.data(), y.data());
  EXPECT_EQ(y.read(), (std::vector<float>{1, 4, 9, 16, 25}));
}

}  // namespace
}  // namespace gradflip
