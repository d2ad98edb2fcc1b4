#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

constexpr std::int64_t kSizes[] = {0, 1, 3, 4, 7, 8, 15, 16, 17, 18, 31, 33, 97, 1000};

template <typename Ctx>
class ElementwiseTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(ElementwiseTest, Backends, BackendNames);

TYPED_TEST(ElementwiseTest, FillWritesEveryElement) {
  for (const std::int64_t size : kSizes) {
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      auto y = this->poisoned(size, base);
      fill(this->ctx(), size, 2.5F, y.data());
      EXPECT_EQ(y.read(), std::vector<float>(static_cast<std::size_t>(size), 2.5F));
    }
  }
}

TYPED_TEST(ElementwiseTest, AddIsExact) {
  for_each_simd_target<TypeParam>([this] {
    for (const std::int64_t size : kSizes) {
      const std::vector<float> a_values = random_floats(size, 1);
      const std::vector<float> b_values = random_floats(size, 2);
      std::vector<float> want(a_values);
      for (std::size_t i = 0; i < want.size(); ++i) want[i] += b_values[i];
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        const auto a = this->upload(a_values, base);
        const auto b = this->upload(b_values);
        auto y = this->poisoned(size, base);
        add(this->ctx(), size, a.data(), b.data(), y.data());
        EXPECT_EQ(y.read(), want);
      }
    }
  });
}

// A GPU's grid is of limited size: its threads come round again.
TYPED_TEST(ElementwiseTest, AddsMoreElementsThanAGridHasThreads) {
  constexpr std::int64_t kSize = (std::int64_t{1} << 20U) + 200'003;
  std::vector<float> values(kSize);
  for (std::int64_t i = 0; i < kSize; ++i) values[i] = static_cast<float>(i);
  for (const Base base : {Base::kAligned, Base::kOffByOne}) {
    const auto a = this->upload(values, base);
    auto y = this->upload(values, base);
    add(this->ctx(), kSize, a.data(), y.data(), y.data());
    const std::vector<float> got = y.read();
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < kSize; ++i) wrong += got[i] == 2.0F * values[i] ? 0 : 1;
    EXPECT_EQ(wrong, 0);
  }
}

TYPED_TEST(ElementwiseTest, AddInPlace) {
  for_each_simd_target<TypeParam>([this] {
    const std::vector<float> values = random_floats(37, 3);
    auto y = this->upload(values);
    add(this->ctx(), 37, y.data(), y.data(), y.data());
    std::vector<float> want(values);
    for (float& value : want) value *= 2.0F;
    EXPECT_EQ(y.read(), want);
  });
}

TYPED_TEST(ElementwiseTest, ScaleFollowsItsFactorInMemory) {
  for_each_simd_target<TypeParam>([this] {
    const auto times = this->upload(std::vector<float>{-0.5F});
    for (const std::int64_t size : kSizes) {
      const std::vector<float> values = random_floats(size, 4);
      auto y = this->upload(values, Base::kOffByOne);
      scale(this->ctx(), size, Scale{4.0F, times.data()}, y.data(), y.data());
      std::vector<float> want(values);
      for (float& value : want) value *= -2.0F;
      EXPECT_EQ(y.read(), want);
      const auto x = this->upload(want);
      auto z = this->poisoned(size);
      scale(this->ctx(), size, Scale{-0.5F}, x.data(), z.data());
      EXPECT_EQ(z.read(), values);
    }
  });
}

}  // namespace
}  // namespace gradflip
