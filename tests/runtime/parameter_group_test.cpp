#include "runtime/parameter_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gradflip {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

constexpr UpdateKind kNone = UpdateKind::kNone, kWithout = UpdateKind::kWithoutDecay,
                     kWith = UpdateKind::kWithDecay;

TEST(ParameterGroupTest, PartsAreWholeWordsFromTheBeginning) {
  EXPECT_TRUE(belongs_to("critic.fc1.weight", {}));
  EXPECT_TRUE(belongs_to("critic.fc1.weight", {"critic"}));
  EXPECT_TRUE(belongs_to("critic.fc1.weight", {"features", "critic.fc1"}));
  EXPECT_TRUE(belongs_to("critic.fc1.weight", {"critic.fc1.weight"}));
  EXPECT_FALSE(belongs_to("critic.fc1.weight", {"crit"}));
  EXPECT_FALSE(belongs_to("critic.fc1.weight", {"fc1"}));
  EXPECT_FALSE(belongs_to("critic.fc10.weight", {"critic.fc1"}));
}

TEST(ParameterGroupTest, APartMayStandAnywhereInAName) {
  EXPECT_TRUE(has_part("features.norm1.bias", "bias"));
  EXPECT_TRUE(has_part("features.norm1.bias", "norm1"));
  EXPECT_TRUE(has_part("features.norm1.bias", "norm1.bias"));
  EXPECT_TRUE(has_part("features.norm1.bias", "features"));
  EXPECT_FALSE(has_part("features.norm1.bias", "norm"));
  EXPECT_FALSE(has_part("features.norm1.bias", "1.bias"));
  EXPECT_FALSE(has_part("features.norm1.bias", "features.bias"));
  EXPECT_FALSE(has_part("bias", "bias.x"));
}

Parameters small_network() {
  Parameters parameters;
  const auto add = [&](const char* name, std::int64_t size, bool trained = true) {
    parameters.add(name, {size}, FileLayout::same({size}), Constant{}, trained);
  };
  add("features.fc.weight", 40);
  add("features.fc.bias", 4);
  add("features.norm.mean", 16, false);
  add("critic.weight", 17);
  return parameters;
}

TEST(UpdateKindsOfParametersTest, SayWhatHappensToEachRun) {
  const Parameters parameters = small_network();
  EXPECT_THAT(update_kinds(parameters, {}),
              ElementsAre(kWith, kWith, kWith, kWith, kNone, kWith, kWith));
  EXPECT_THAT(update_kinds(parameters, {"features"}, {"bias"}),
              ElementsAre(kWith, kWith, kWith, kWithout, kNone, kNone, kNone));
  EXPECT_THAT(update_kinds(parameters, {"critic", "features.fc.bias"}),
              ElementsAre(kNone, kNone, kNone, kWith, kNone, kWith, kWith));
}

TEST(UpdateKindsOfParametersTest, AreNoneWhereEverythingIsUpdatedInFull) {
  Parameters parameters;
  parameters.add("fc.weight", {40}, FileLayout::same({40}), Constant{});
  EXPECT_THAT(update_kinds(parameters, {}), IsEmpty());
  EXPECT_THAT(update_kinds(parameters, {"fc"}, {"bias"}), IsEmpty());
}

TEST(UpdateKindsOfParametersTest, RefuseAGroupThatIsNone) {
  const Parameters parameters = small_network();
  EXPECT_THAT(
      [&] {
        update_kinds(parameters, {"features", "predictor"});
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("predictor")));
  EXPECT_THROW(update_kinds(parameters, {"features.norm"}), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
