#include "kernels/adam.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "kernels/advance_step.h"
#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/adam.h"
#include "tests/support/update_kinds.h"

namespace gradflip {
namespace {

using reference::widen;

std::vector<float> squares(std::vector<float> values) {
  for (float& value : values) value *= value;
  return values;
}

// What an update works on, on the host.
struct AdamValues {
  explicit AdamValues(std::int64_t size)
      : gradient(random_floats(size, 1)),
        weight(random_floats(size, 2)),
        first_moment(random_floats(size, 3)),
        second_moment(squares(random_floats(size, 4))) {}

  std::vector<float> gradient, weight, first_moment, second_moment;
};

struct AdamStep {
  AdamOptions options = {};
  float learning_rate = 0.25F;
  float gradient_scale = 1.0F;
  std::int64_t updates = 0;
  std::int32_t frozen = 0;
  std::vector<UpdateKind> kinds = {};
  Base base = Base::kAligned;
};

template <typename Ctx>
class AdamTest : public BackendTest<Ctx> {
 protected:
  AdamValues updated(AdamValues values, const AdamStep& step) {
    const auto gradient = this->upload(values.gradient, step.base);
    const auto learning_rate = this->upload(std::vector<float>{step.learning_rate});
    const auto gradient_scale = this->upload(std::vector<float>{step.gradient_scale});
    const auto updates = this->upload(std::vector<std::int64_t>{step.updates});
    const auto frozen = this->upload(std::vector<std::int32_t>{step.frozen});
    const auto kinds = this->upload(step.kinds);
    auto weight = this->upload(values.weight);
    auto first_moment = this->upload(values.first_moment, step.base);
    auto second_moment = this->upload(values.second_moment);
    adam(this->ctx(),
         {.options = step.options,
          .size = gradient.size(),
          .learning_rate = learning_rate.data(),
          .updates = updates.data(),
          .frozen = frozen.data(),
          .kinds = step.kinds.empty() ? nullptr : kinds.data(),
          .gradient_scale = step.gradient_scale == 1.0F ? nullptr : gradient_scale.data(),
          .gradient = gradient.data(),
          .weight = weight.data(),
          .first_moment = first_moment.data(),
          .second_moment = second_moment.data()});
    EXPECT_EQ(updates.read()[0], step.updates);
    values.weight = weight.read();
    values.first_moment = first_moment.read();
    values.second_moment = second_moment.read();
    return values;
  }
};
TYPED_TEST_SUITE(AdamTest, Backends, BackendNames);

TYPED_TEST(AdamTest, MatchesReference) {
  constexpr AdamOptions kOptions[] = {
      {},
      {.beta1 = 0.5F, .beta2 = 0.9F, .epsilon = 0.1F, .weight_decay = 0.1F},
      {.weight_decay = 0.1F, .decoupled = true},
      {.beta1 = 0.0F, .beta2 = 0.0F, .epsilon = 1e-3F}};
  constexpr std::int64_t kSizes[] = {0, 1, 3, 4, 15, 16, 17, 33, 1000};
  for_each_simd_target<TypeParam>([this, &kOptions, &kSizes] {
    for (const AdamOptions& options : kOptions) {
      for (const std::int64_t size : kSizes) {
        for (const std::int64_t updates : {0, 1, 9, 100'000}) {
          const AdamValues before(size);
          const AdamValues after = this->updated(
              before, {.options = options, .updates = updates, .base = Base::kOffByOne});
          const auto want = reference::adam(options, 0.25, updates + 1, widen(before.gradient),
                                            widen(before.weight), widen(before.first_moment),
                                            widen(before.second_moment));
          EXPECT_TRUE(all_close(after.first_moment, want.first_moment, kElementwise));
          EXPECT_TRUE(all_close(after.second_moment, want.second_moment, kElementwise));
          EXPECT_TRUE(all_close(after.weight, want.weight, kElementwise));
        }
      }
    }
  });
}

// By numpy in double, from the papers' formulas: lr 0.1, beta1 0.75, beta2 0.875, epsilon 0.0625,
// weight decay 0.25, weights 1, -2 and 0.5.
struct KnownUpdates {
  bool decoupled;
  double weight[3][3];  // after each of three updates
};

TYPED_TEST(AdamTest, FollowsATableOfNumbers) {
  constexpr float kGradients[3][3] = {
      {0.5F, -1.0F, 0.0F}, {0.25F, 1.0F, 2.0F}, {-1.0F, 0.5F, 2.0F}};
  constexpr KnownUpdates kKnownUpdates[] = {{false,
                                             {{0.9076923063, -1.9039999986, 0.4333333323},
                                              {0.8206050075, -1.8742998462, 0.3549117356},
                                              {0.8214818080, -1.8546944017, 0.2666040417}}},
                                            {true,
                                             {{0.8861111094, -1.8558823508, 0.4874999998},
                                              {0.7845576678, -1.8229306697, 0.4002772395},
                                              {0.7955970386, -1.8100758355, 0.3036749666}}}};
  for (const KnownUpdates& known : kKnownUpdates) {
    AdamValues values(3);
    values.weight = {1.0F, -2.0F, 0.5F};
    values.first_moment = values.second_moment = {0.0F, 0.0F, 0.0F};
    for (std::int64_t update = 0; update < 3; ++update) {
      values.gradient.assign(std::begin(kGradients[update]), std::end(kGradients[update]));
      values = this->updated(values, {.options = {.beta1 = 0.75F,
                                                  .beta2 = 0.875F,
                                                  .epsilon = 0.0625F,
                                                  .weight_decay = 0.25F,
                                                  .decoupled = known.decoupled},
                                      .learning_rate = 0.1F,
                                      .updates = update});
      EXPECT_TRUE(all_close(values.weight, known.weight[update], kElementwise)) << update;
    }
  }
}

// Whatever the gradient's size, the first step is the learning rate (section 2.1 of the paper).
TYPED_TEST(AdamTest, TheFirstStepIsTheLearningRate) {
  for (const float g : {1e-5F, -1.0F, 1e15F}) {
    AdamValues values(1);
    values.gradient = {g};
    values.weight = values.first_moment = values.second_moment = {0.0F};
    const AdamValues after = this->updated(values, {.options = {.epsilon = 1e-12F}});
    EXPECT_NEAR(after.weight[0], g > 0 ? -0.25 : 0.25, 1e-6);
  }
}

TYPED_TEST(AdamTest, WhatHasNoGradientStays) {
  AdamValues values(40);
  values.gradient.assign(40, 0.0F);
  values.first_moment = values.second_moment = values.gradient;
  const AdamValues after = this->updated(values, {});
  EXPECT_EQ(after.weight, values.weight);
  EXPECT_EQ(after.second_moment, values.second_moment);
}

TYPED_TEST(AdamTest, ScalesTheGradient) {
  const AdamOptions options{.weight_decay = 0.1F};
  const AdamValues before(37);
  AdamValues halved = before;
  for (float& g : halved.gradient) g *= 0.5F;
  const AdamValues want = this->updated(halved, {.options = options});
  const AdamValues got = this->updated(before, {.options = options, .gradient_scale = 0.5F});
  EXPECT_EQ(got.weight, want.weight);
  EXPECT_EQ(got.second_moment, want.second_moment);
}

TYPED_TEST(AdamTest, EachRunIsUpdatedAsItsKindSays) {
  for_each_simd_target<TypeParam>([this] {
    for (const bool decoupled : {false, true}) {
      for (const Base base : {Base::kAligned, Base::kOffByOne}) {
        for (const std::int64_t size : {0, 15, 47, 1001}) {
          AdamStep step{.options = {.weight_decay = 0.1F, .decoupled = decoupled}, .base = base};
          const AdamValues before(size), with = this->updated(before, step);
          AdamStep plain = step;
          plain.options.weight_decay = 0.0F;
          const AdamValues without = this->updated(before, plain);
          step.kinds = mixed_kinds(size);
          const AdamValues got = this->updated(before, step);
          for (const auto& [kind, want] :
               {std::pair{UpdateKind::kNone, &before}, std::pair{UpdateKind::kWithDecay, &with},
                std::pair{UpdateKind::kWithoutDecay, &without}}) {
            const auto part = [&, of = kind](const std::vector<float>& values) {
              return of_kind(of, step.kinds, values);
            };
            EXPECT_EQ(part(got.weight), part(want->weight));
            EXPECT_EQ(part(got.first_moment), part(want->first_moment));
            EXPECT_EQ(part(got.second_moment), part(want->second_moment));
          }
        }
      }
    }
  });
}

TYPED_TEST(AdamTest, FrozenWritesNothing) {
  const AdamValues before(21);
  const AdamValues after = this->updated(before, {.frozen = 1});
  EXPECT_EQ(after.weight, before.weight);
  EXPECT_EQ(after.first_moment, before.first_moment);
  EXPECT_EQ(after.second_moment, before.second_moment);
}

TYPED_TEST(AdamTest, AlignmentDoesNotChangeABit) {
  for_each_simd_target<TypeParam>([this] {
    const AdamValues before(53);
    const AdamValues aligned = this->updated(before, {.options = {.weight_decay = 0.1F}});
    const AdamValues off =
        this->updated(before, {.options = {.weight_decay = 0.1F}, .base = Base::kOffByOne});
    EXPECT_EQ(aligned.weight, off.weight);
    EXPECT_EQ(aligned.second_moment, off.second_moment);
  });
}

TYPED_TEST(AdamTest, RefusesOptionsOutOfRange) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const AdamOptions& options :
       {AdamOptions{.beta1 = 1.0F}, AdamOptions{.beta2 = -0.1F}, AdamOptions{.beta2 = nan},
        AdamOptions{.epsilon = 0.0F}, AdamOptions{.weight_decay = nan}}) {
    EXPECT_THROW(adam(this->ctx(), {.options = options}), std::invalid_argument);
  }
}

}  // namespace
}  // namespace gradflip
