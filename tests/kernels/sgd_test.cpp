#include "kernels/sgd.h"

#include <gtest/gtest.h>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/sgd.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr std::int64_t kSizes[] = {0, 1, 3, 4, 7, 8, 15, 16, 17, 18, 31, 33, 97, 1000};

template <typename Ctx>
class SgdTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(SgdTest, Backends, BackendNames);

TYPED_TEST(SgdTest, MatchesReference) {
  constexpr SgdOptions kOptions[] = {
      {}, {.momentum = 0.9F}, {.momentum = 0.5F, .weight_decay = 0.1F}};
  for_each_simd_target<TypeParam>([this, &kOptions] {
    const float rate = 0.25F;
    const auto learning_rate = this->upload(std::vector<float>{rate});
    for (const SgdOptions& options : kOptions) {
      for (const std::int64_t size : kSizes) {
        const std::vector<float> gradients = random_floats(size, 1);
        const std::vector<float> weights = random_floats(size, 2);
        const std::vector<float> velocities = random_floats(size, 3);
        const auto gradient = this->upload(gradients, Base::kOffByOne);
        auto weight = this->upload(weights);
        auto velocity = this->upload(velocities, Base::kOffByOne);
        sgd(this->ctx(), size, options, learning_rate.data(), nullptr, gradient.data(),
            weight.data(), velocity.data());
        const auto want =
            reference::sgd(options, rate, widen(gradients), widen(weights), widen(velocities));
        EXPECT_TRUE(all_close(velocity.read(), want.velocity, kElementwise));
        EXPECT_TRUE(all_close(weight.read(), want.weight, kElementwise));
      }
    }
  });
}

TYPED_TEST(SgdTest, FrozenWritesNothing) {
  const std::vector<float> weights = random_floats(21, 2);
  const std::vector<float> velocities = random_floats(21, 3);
  const auto learning_rate = this->upload(std::vector<float>{0.25F});
  const auto gradient = this->upload(random_floats(21, 1));
  for (const std::int32_t flag : {0, 1, -7}) {
    const auto frozen = this->upload(std::vector<std::int32_t>{flag});
    auto weight = this->upload(weights);
    auto velocity = this->upload(velocities);
    sgd(this->ctx(), 21, {.momentum = 0.9F}, learning_rate.data(), frozen.data(), gradient.data(),
        weight.data(), velocity.data());
    EXPECT_EQ(weight.read() == weights, flag != 0);
    EXPECT_EQ(velocity.read() == velocities, flag != 0);
  }
}

TYPED_TEST(SgdTest, AlignmentDoesNotChangeABit) {
  for_each_simd_target<TypeParam>([this] {
    const auto learning_rate = this->upload(std::vector<float>{0.1F});
    std::vector<float> results[2];
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      const auto gradient = this->upload(random_floats(53, 1), base);
      auto weight = this->upload(random_floats(53, 2), base);
      auto velocity = this->upload(random_floats(53, 3), base);
      sgd(this->ctx(), 53, {.momentum = 0.9F, .weight_decay = 1e-3F}, learning_rate.data(), nullptr,
          gradient.data(), weight.data(), velocity.data());
      results[base == Base::kAligned ? 0 : 1] = weight.read();
    }
    EXPECT_EQ(results[0], results[1]);
  });
}

}  // namespace
}  // namespace gradflip
