#include "kernels/average.h"

#include <gtest/gtest.h>

#include "tests/kernels/simd_targets.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/average.h"
#include "tests/support/update_kinds.h"

namespace gradflip {
namespace {

using reference::widen;

struct Averaging {
  float decay = 0.75F;
  float times = 1.0F;
  std::int32_t frozen = 0;
  std::vector<UpdateKind> kinds = {};
  Base base = Base::kAligned;
};

template <typename Ctx>
class AverageTest : public BackendTest<Ctx> {
 protected:
  // Weights and averages of this size, in a fixed order of random numbers; what becomes of these.
  std::vector<float> averaged(std::int64_t size, const Averaging& how) {
    const auto weight = this->upload(random_floats(size, 1), how.base);
    auto averaged = this->upload(random_floats(size, 2));
    const auto times = this->upload(std::vector<float>{how.times});
    const auto frozen = this->upload(std::vector<std::int32_t>{how.frozen});
    const auto kinds = this->upload(how.kinds);
    average(this->ctx(), {.size = size,
                          .decay = {how.decay, how.times == 1.0F ? nullptr : times.data()},
                          .frozen = frozen.data(),
                          .kinds = how.kinds.empty() ? nullptr : kinds.data(),
                          .weight = weight.data(),
                          .averaged = averaged.data()});
    return averaged.read();
  }
};
TYPED_TEST_SUITE(AverageTest, Backends, BackendNames);

TYPED_TEST(AverageTest, MatchesReference) {
  for_each_simd_target<TypeParam>([this] {
    for (const std::int64_t size : {0, 1, 3, 15, 16, 17, 33, 1000}) {
      for (const float decay : {0.0F, 0.25F, 0.999F, 1.0F}) {
        for (const float times : {1.0F, 0.5F}) {
          const auto got =
              this->averaged(size, {.decay = decay, .times = times, .base = Base::kOffByOne});
          const auto want =
              reference::average(static_cast<double>(decay) * times, widen(random_floats(size, 1)),
                                 widen(random_floats(size, 2)));
          EXPECT_TRUE(all_close(got, want, kElementwise));
        }
      }
    }
  });
}

TYPED_TEST(AverageTest, NothingAndEverythingAreExact) {
  for_each_simd_target<TypeParam>([this] {
    EXPECT_EQ(this->averaged(97, {.decay = 0.0F}), random_floats(97, 1));
    EXPECT_EQ(this->averaged(97, {.decay = 1.0F}), random_floats(97, 2));
  });
}

TYPED_TEST(AverageTest, LeavesRunsOfNoKindAlone) {
  for_each_simd_target<TypeParam>([this] {
    for (const Base base : {Base::kAligned, Base::kOffByOne}) {
      const std::vector<UpdateKind> kinds = mixed_kinds(1001);
      const auto all = this->averaged(1001, {.base = base});
      const auto some = this->averaged(1001, {.kinds = kinds, .base = base});
      const auto expect_part = [&](UpdateKind kind, const std::vector<float>& want) {
        EXPECT_EQ(of_kind(kind, kinds, some), of_kind(kind, kinds, want));
      };
      expect_part(UpdateKind::kNone, random_floats(1001, 2));
      expect_part(UpdateKind::kWithoutDecay, all);
      expect_part(UpdateKind::kWithDecay, all);
    }
  });
}

TYPED_TEST(AverageTest, FrozenWritesNothing) {
  EXPECT_EQ(this->averaged(21, {.frozen = 1}), random_floats(21, 2));
}

}  // namespace
}  // namespace gradflip
