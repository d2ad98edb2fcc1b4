#include "kernels/finite_guard.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <typename Ctx>
class FiniteGuardTest : public BackendTest<Ctx> {
 protected:
  FiniteGuard check(const std::vector<float>& values, FiniteGuard before = {}) {
    const auto input = this->upload(values, Base::kOffByOne);
    const auto step = this->upload(std::vector<std::int64_t>{std::int64_t{5} << 32U});
    auto guard = this->upload(std::vector<FiniteGuard>{before});
    check_finite(this->ctx(), input.size(), input.data(), /*quantity=*/7, step.data(),
                 guard.data());
    return guard.read()[0];
  }
  static void expect_untouched(const FiniteGuard& guard) {
    EXPECT_EQ(guard.frozen, 0);
    EXPECT_EQ(guard.quantity, -1);
    EXPECT_EQ(guard.index, -1);
    EXPECT_EQ(guard.step, -1);
  }
  static void expect_frozen_at(std::int64_t index, const FiniteGuard& guard) {
    EXPECT_EQ(guard.frozen, 1);
    EXPECT_EQ(guard.quantity, 7);
    EXPECT_EQ(guard.index, index);
    EXPECT_EQ(guard.step, std::int64_t{5} << 32U);
  }
};
TYPED_TEST_SUITE(FiniteGuardTest, Backends, BackendNames);

TYPED_TEST(FiniteGuardTest, FiniteValuesLeaveItAlone) {
  for (const std::int64_t size : {0, 1, 5, 4095, 4096, 4097, 20000}) {
    this->expect_untouched(this->check(random_floats(size, 1)));
  }
  constexpr float kLargest = std::numeric_limits<float>::max();
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  this->expect_untouched(this->check({kLargest, -kLargest, kTiny, -kTiny, 0.0F, -0.0F}));
}

TYPED_TEST(FiniteGuardTest, FindsTheFirstOffenderWhereverItIs) {
  constexpr std::int64_t kSize = 9001;
  for (const float bad : {std::nanf(""), -std::nanf(""), kInfinity, -kInfinity}) {
    for (const std::int64_t place : {0, 1, 7, 4095, 4096, 8191, 8192, 8999, 9000}) {
      SCOPED_TRACE(testing::Message() << bad << " at " << place);
      std::vector<float> values = random_floats(kSize, 2);
      values[place] = bad;
      this->expect_frozen_at(place, this->check(values));
      values[kSize - 1] = kInfinity;  // a later one changes nothing
      this->expect_frozen_at(place, this->check(values));
    }
  }
}

TYPED_TEST(FiniteGuardTest, KeepsTheFirstStepThatFailed) {
  const FiniteGuard before = {.frozen = 1, .quantity = 2, .index = 3, .step = 4};
  const FiniteGuard after = this->check({kInfinity}, before);
  EXPECT_EQ(after.frozen, 1);
  EXPECT_EQ(after.quantity, 2);
  EXPECT_EQ(after.index, 3);
  EXPECT_EQ(after.step, 4);
}

TYPED_TEST(FiniteGuardTest, TakesWhatWasReportedAndTakesTheNoteBack) {
  const auto step = this->upload(std::vector<std::int64_t>{std::int64_t{5} << 32U});
  auto guard = this->upload(std::vector<FiniteGuard>(1));
  auto state = this->upload(std::vector<StepState>(1));
  const auto check = [&] {
    check_reported(this->ctx(), state.data(), /*quantity=*/7, step.data(), guard.data());
    EXPECT_EQ(state.read()[0].first_non_finite, StepState::kAllFinite);
    return guard.read()[0];
  };
  this->expect_untouched(check());
  StepState noted;
  noted.first_non_finite = 41;
  state.write({noted});
  this->expect_frozen_at(41, check());
  noted.first_non_finite = 3;  // a frozen guard keeps what it has
  state.write({noted});
  this->expect_frozen_at(41, check());
}

TYPED_TEST(FiniteGuardTest, RefusesANegativeSize) {
  FiniteGuard guard;
  const std::int64_t step = 0;
  EXPECT_THROW(check_finite(this->ctx(), -1, nullptr, 0, &step, &guard), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
