#include "kernels/update_kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>
#include <vector>

namespace gradflip {
namespace {

using Stretch = std::tuple<std::int64_t, std::int64_t, UpdateKind>;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr UpdateKind kNone = UpdateKind::kNone, kWithout = UpdateKind::kWithoutDecay,
                     kWith = UpdateKind::kWithDecay;

std::vector<Stretch> stretches(std::int64_t size, const UpdateKind* kinds) {
  std::vector<Stretch> seen;
  for_each_stretch(size, kinds, [&](std::int64_t begin, std::int64_t end, UpdateKind kind) {
    seen.emplace_back(begin, end, kind);
  });
  return seen;
}

TEST(UpdateKindsTest, NullIsEverything) {
  EXPECT_THAT(stretches(0, nullptr), IsEmpty());
  EXPECT_THAT(stretches(33, nullptr), ElementsAre(Stretch(0, 33, kWith)));
}

TEST(UpdateKindsTest, NeighboursOfOneKindAreOneStretch) {
  const std::vector<UpdateKind> kinds{kNone, kWith, kWith, kWithout, kNone, kNone, kWithout};
  EXPECT_THAT(
      stretches(100, kinds.data()),
      ElementsAre(Stretch(16, 48, kWith), Stretch(48, 64, kWithout), Stretch(96, 100, kWithout)));
  EXPECT_THAT(stretches(0, kinds.data()), IsEmpty());
  EXPECT_THAT(stretches(16, kinds.data()), IsEmpty());
  EXPECT_THAT(stretches(17, kinds.data()), ElementsAre(Stretch(16, 17, kWith)));
}

}  // namespace
}  // namespace gradflip
