#include "kernels/sgd.h"

#include <gtest/gtest.h>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/sgd.h"
#include "tests/support/update_kinds.h"

namespace gradflip {
namespace {

using reference::widen;

constexpr std::int64_t kSizes[] = {0, 1, 3, 4, 7, 8, 15, 16, 17, 18, 31, 33, 97, 1000};

template <typename Ctx>
class SgdTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(SgdTest, Backends, BackendNames);

// What an update works on.
template <typename Ctx>
struct Block {
  Block(std::int64_t size, Base base)
      : gradients(random_floats(size, 1)),
        weights(random_floats(size, 2)),
        velocities(random_floats(size, 3)),
        gradient(gradients, base),
        weight(weights),
        velocity(velocities, base) {}

  SgdUpdate update(const SgdOptions& options, const float* learning_rate) {
    return {.options = options,
            .size = gradient.size(),
            .learning_rate = learning_rate,
            .gradient = gradient.data(),
            .weight = weight.data(),
            .velocity = velocity.data()};
  }

  std::vector<float> gradients, weights, velocities;
  GuardedBuffer<float, Ctx> gradient, weight, velocity;
};

TYPED_TEST(SgdTest, MatchesReference) {
  constexpr SgdOptions kOptions[] = {{},
                                     {.momentum = 0.9F},
                                     {.momentum = 0.5F, .weight_decay = 0.1F},
                                     {.momentum = 0.5F, .weight_decay = 0.1F, .nesterov = true}};
  for_each_simd_target<TypeParam>([this, &kOptions] {
    const float rate = 0.25F, scale = 0.75F;
    const auto learning_rate = this->upload(std::vector<float>{rate});
    const auto gradient_scale = this->upload(std::vector<float>{scale});
    for (const SgdOptions& options : kOptions) {
      for (const std::int64_t size : kSizes) {
        for (const bool scaled : {false, true}) {
          Block<TypeParam> block(size, Base::kOffByOne);
          SgdUpdate update = block.update(options, learning_rate.data());
          if (scaled) update.gradient_scale = gradient_scale.data();
          sgd(this->ctx(), update);
          const auto want =
              reference::sgd(options, rate, widen(block.gradients), widen(block.weights),
                             widen(block.velocities), scaled ? scale : 1.0);
          EXPECT_TRUE(all_close(block.velocity.read(), want.velocity, kElementwise));
          EXPECT_TRUE(all_close(block.weight.read(), want.weight, kElementwise));
        }
      }
    }
  });
}

// torch.optim.SGD's formulas by hand, in numbers that floats hold: two steps with lr 0.5, momentum
// 0.5, weight decay 0.25 from weight 2, gradients 1 and -1.
TYPED_TEST(SgdTest, TwoStepsByHand) {
  const auto learning_rate = this->upload(std::vector<float>{0.5F});
  for (const bool nesterov : {false, true}) {
    auto weight = this->upload(std::vector<float>{2.0F});
    auto velocity = this->upload(std::vector<float>{0.0F});
    for (const float g : {1.0F, -1.0F}) {
      const auto gradient = this->upload(std::vector<float>{g});
      sgd(this->ctx(), {.options = {.momentum = 0.5F, .weight_decay = 0.25F, .nesterov = nesterov},
                        .size = 1,
                        .learning_rate = learning_rate.data(),
                        .gradient = gradient.data(),
                        .weight = weight.data(),
                        .velocity = velocity.data()});
    }
    // g 1.5; v 1.5; w 2 - 0.75.             g -0.6875;   v 0.0625;  w 1.25 - 0.03125
    // g 1.5; v 1.5; w 2 - 0.5 * 2.25.       g -0.78125;  v -0.03125; w 0.875 + 0.5 * 0.796875
    EXPECT_EQ(velocity.read()[0], nesterov ? -0.03125F : 0.0625F);
    EXPECT_EQ(weight.read()[0], nesterov ? 1.2734375F : 1.21875F);
  }
}

TYPED_TEST(SgdTest, EachRunIsUpdatedAsItsKindSays) {
  for_each_simd_target<TypeParam>([this] {
    const SgdOptions full{.momentum = 0.5F, .weight_decay = 0.1F};
    const auto learning_rate = this->upload(std::vector<float>{0.25F});
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      for (const std::int64_t size : {0, 15, 47, 160, 1001}) {
        const std::vector<UpdateKind> kinds = mixed_kinds(size);
        const auto kind = this->upload(kinds);
        const auto updated = [&](const SgdOptions& options, const UpdateKind* by) {
          Block<TypeParam> block(size, base);
          SgdUpdate update = block.update(options, learning_rate.data());
          update.kinds = by;
          sgd(this->ctx(), update);
          return std::pair(block.weight.read(), block.velocity.read());
        };
        const auto got = updated(full, kind.data());
        const auto check = [&](UpdateKind of, const std::vector<float>& want_weights,
                               const std::vector<float>& want_velocities) {
          EXPECT_EQ(of_kind(of, kinds, got.first), of_kind(of, kinds, want_weights));
          EXPECT_EQ(of_kind(of, kinds, got.second), of_kind(of, kinds, want_velocities));
        };
        check(UpdateKind::kNone, random_floats(size, 2), random_floats(size, 3));
        const auto with = updated(full, nullptr);
        check(UpdateKind::kWithDecay, with.first, with.second);
        const auto without = updated({.momentum = 0.5F}, nullptr);
        check(UpdateKind::kWithoutDecay, without.first, without.second);
      }
    }
  });
}

TYPED_TEST(SgdTest, FrozenWritesNothing) {
  const auto learning_rate = this->upload(std::vector<float>{0.25F});
  for (const std::int32_t flag : {0, 1, -7}) {
    const auto frozen = this->upload(std::vector<std::int32_t>{flag});
    Block<TypeParam> block(21, Base::kAligned);
    SgdUpdate update = block.update({.momentum = 0.9F}, learning_rate.data());
    update.frozen = frozen.data();
    sgd(this->ctx(), update);
    EXPECT_EQ(block.weight.read() == block.weights, flag != 0);
    EXPECT_EQ(block.velocity.read() == block.velocities, flag != 0);
  }
}

TYPED_TEST(SgdTest, AlignmentDoesNotChangeABit) {
  for_each_simd_target<TypeParam>([this] {
    const auto learning_rate = this->upload(std::vector<float>{0.1F});
    std::vector<float> results[2];
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      Block<TypeParam> block(53, base);
      sgd(this->ctx(),
          block.update({.momentum = 0.9F, .weight_decay = 1e-3F}, learning_rate.data()));
      results[base == Base::kAligned ? 0 : 1] = block.weight.read();
    }
    EXPECT_EQ(results[0], results[1]);
  });
}

}  // namespace
}  // namespace gradflip
