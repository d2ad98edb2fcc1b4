#include "kernels/advance_step.h"

#include <gtest/gtest.h>

#include "tests/support/backends.h"

namespace gradflip {
namespace {

template <typename Ctx>
class AdvanceStepTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(AdvanceStepTest, Backends, BackendNames);

TYPED_TEST(AdvanceStepTest, CountsPastThirtyTwoBits) {
  const std::int64_t before = (std::int64_t{1} << 32U) - 1;
  auto step = this->upload(std::vector<std::int64_t>{before});
  advance_step(this->ctx(), step.data());
  advance_step(this->ctx(), step.data());
  EXPECT_EQ(step.read()[0], before + 2);
}

TYPED_TEST(AdvanceStepTest, AFrozenStepIsNoUpdate) {
  auto updates = this->upload(std::vector<std::int64_t>{7});
  count_update(this->ctx(), nullptr, updates.data());
  EXPECT_EQ(updates.read()[0], 8);
  for (const std::int32_t flag : {0, 1}) {
    const auto frozen = this->upload(std::vector<std::int32_t>{flag});
    count_update(this->ctx(), frozen.data(), updates.data());
    EXPECT_EQ(updates.read()[0], 9);
  }
}

}  // namespace
}  // namespace gradflip
