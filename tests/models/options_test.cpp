// The numbers of a recipe: what is in range, and what is so only by itself.
#include "models/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/methods/dann_options.h"
#include "models/presets.h"
#include "models/recipe.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Setting = std::pair<std::string, OptionValue>;

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

Recipe with(const std::vector<Setting>& settings) {
  Recipe recipe;
  for (const auto& [option, value] : settings) recipe.field(option).set(value);
  return recipe;
}

struct BadValues {
  const char* option;
  std::vector<Setting> settings;
};

TEST(RequireValidTest, NamesTheOptionThatIsOutOfRange) {
  const std::vector<BadValues> cases = {
      {"--source-batch", {{"source-batch", 0}}},
      {"--target-batch", {{"target-batch", -1}}},
      {"--epochs", {{"epochs", 0}}},
      {"--steps", {{"steps", -1}}},
      {"--learning-rate:", {{"learning-rate", 0.0}}},
      {"--learning-rate:", {{"learning-rate", kNan}}},
      {"--learning-rate:", {{"learning-rate", kInfinity}}},
      {"--learning-rate-alpha", {{"learning-rate-alpha", -1.0}}},
      {"--learning-rate-beta", {{"learning-rate-beta", kNan}}},
      {"--decay-gamma", {{"decay-gamma", -1e-9}}},
      {"--decay-power", {{"decay-power", kInfinity}}},
      {"--learning-rate-end", {{"learning-rate-end", 1.0}}},
      {"--learning-rate-end", {{"learning-rate-end", -0.1}}},
      {"--warmup-steps", {{"warmup-steps", -1}}},
      {"--warmup-steps", {{"warmup-steps", kMaxSteps + 1}}},
      {"--momentum", {{"momentum", 1.0}}},
      {"--momentum", {{"momentum", kNan}}},
      {"--weight-decay", {{"weight-decay", -1.0}}},
      {"--label-smoothing", {{"label-smoothing", 1.0}}},
      {"--lambda", {{"lambda", -0.5}}},
      {"--gamma", {{"gamma", 0.0}}},
      {"--domain-weight", {{"domain-weight", -1.0}}},
      {"--domain-logits", {{"domain-logits", 3}}},
      {"--domain-label-smoothing", {{"domain-label-smoothing", 1.0}}},
      {"--domain-label-smoothing", {{"domain-label-smoothing", -0.1}}},
  };
  for (const BadValues& bad : cases) {
    SCOPED_TRACE(bad.option);
    const std::string text = refusal([&] { require_valid(with(bad.settings)); });
    EXPECT_THAT(text, HasSubstr(bad.option));
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

// In range as written, and 0, 1 or infinite in f32.
TEST(RequireValidTest, RefusesWhatF32CannotHold) {
  const std::vector<BadValues> cases = {
      {"--learning-rate", {{"learning-rate", 1e-60}}},
      {"--learning-rate", {{"learning-rate", 1e-40}}},  // subnormal
      {"--learning-rate", {{"learning-rate", 1e39}}},
      {"--lambda", {{"lambda", 1e-60}}},
      {"--lambda", {{"lambda", 1e39}}},
      {"--weight-decay", {{"weight-decay", 1e-46}}},
      {"--weight-decay", {{"weight-decay", 3.5e38}}},
      {"--domain-weight", {{"domain-weight", 1e-60}}},
      {"--domain-weight", {{"domain-weight", 1e39}}},
      {"--momentum", {{"momentum", 0.99999999999}}},
      {"--momentum", {{"momentum", 1e-60}}},
      {"--label-smoothing", {{"label-smoothing", 0.99999999999}}},
      {"--label-smoothing", {{"label-smoothing", 1e-60}}},
      {"--domain-label-smoothing", {{"domain-label-smoothing", 0.99999999999}}},
      // A half of it is too small, though it is not.
      {"--domain-weight", {{"domain-reduction", "half"}, {"domain-weight", 1.3e-38}}},
      // Schedules that leave nothing of what they are of.
      {"--learning-rate-beta", {{"learning-rate-beta", 1e308}}},
      {"--learning-rate-alpha", {{"learning-rate-alpha", 1e308}}},
      {"--decay-power",
       {{"learning-rate-schedule", "step"}, {"decay-gamma", 1.0}, {"decay-power", 1e6}}},
      {"--gamma", {{"gamma", 1e-320}}},
      {"--learning-rate-end", {{"learning-rate-schedule", "cosine"}, {"learning-rate-end", 1e-38}}},
      {"--learning-rate-end",
       {{"learning-rate-schedule", "linear"}, {"learning-rate-end", 1e-300}, {"steps", 10}}},
      {"--warmup-steps", {{"learning-rate", 1e-30}, {"warmup-steps", 1'000'000'000}}},
      // By the last step, which is known here.
      {"--decay-power",
       {{"learning-rate-schedule", "step"},
        {"decay-gamma", 1.0},
        {"decay-power", 30.0},
        {"steps", 100}}},
      // A product of numbers that are each in range.
      {"--domain-weight", {{"lambda", 1e-30}, {"domain-weight", 1e-30}}},
  };
  for (const BadValues& bad : cases) {
    const std::string text = refusal([&] { require_valid(with(bad.settings)); });
    SCOPED_TRACE(text);
    EXPECT_THAT(text, HasSubstr(bad.option));
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

// A subnormal number is not 0, though training could not tell it from that.
TEST(RequireValidTest, SaysOnWhichSideOfF32ANumberIs) {
  for (const double value : {1e-40, 1e-60}) {
    EXPECT_THAT(refusal([&] {
                  require_valid(with({{"lambda", value}}));
                }),
                HasSubstr("is below the smallest normal number of f32"));
  }
  EXPECT_THAT(refusal([&] {
                require_valid(with({{"lambda", 1e39}}));
              }),
              HasSubstr("is above the largest number of f32"));
}

TEST(RequireValidTest, TakesTheNumbersAtTheEdge) {
  const std::vector<std::vector<Setting>> cases = {
      {{"learning-rate", 1e-30}},
      {{"lambda", 3.4e38}},
      {{"momentum", 0.0}, {"weight-decay", 0.0}, {"label-smoothing", 0.0}},
      {{"lambda", 0.0}, {"domain-weight", 0.0}},
      {{"lambda", 1e30}, {"domain-weight", 1e30}},  // diverges, and says so
      {{"momentum", 0.9999999}},
      {{"gamma", 1e308}},  // a step
      {{"learning-rate-alpha", 0.0}, {"learning-rate-beta", 0.0}},
      // Shapes of schedules that are not in use do no harm.
      {{"decay-gamma", 1e308}, {"decay-power", 1e308}},
      {{"lambda-schedule", "constant"}, {"gamma", 1e-320}},
      {{"learning-rate-end", 1e-300}},
      // 0 at the end, as said, and not before.
      {{"learning-rate-schedule", "cosine"}, {"steps", kMaxSteps}},
      {{"learning-rate-schedule", "arc"}, {"steps", 1}},
      {{"learning-rate-schedule", "linear"}, {"steps", 1}},
      {{"learning-rate-schedule", "arc"}, {"learning-rate-end", 0.9999}},
      // Longer than the run.
      {{"warmup-steps", kMaxSteps}, {"steps", 1}},
  };
  for (const auto& settings : cases) {
    EXPECT_EQ(refusal([&] { require_valid(with(settings)); }), "");
  }
}

TEST(RequireSchedulesTest, KnowsTheLengthOfTheRun) {
  const Recipe recipe =
      with({{"learning-rate-schedule", "step"}, {"decay-gamma", 1.0}, {"decay-power", 30.0}});
  EXPECT_EQ(refusal([&] { require_valid(recipe); }), "");
  EXPECT_EQ(refusal([&] { require_schedules(recipe, 12); }), "");
  EXPECT_THAT(refusal([&] { require_schedules(recipe, 100); }), HasSubstr("--decay-power"));
  for (const std::string& name : preset_names()) {
    EXPECT_EQ(refusal([&] { require_schedules(preset(name), kMaxSteps); }), "") << name;
  }
}

TEST(ScheduleTest, RampFollowsThePapersFormula) {
  DannOptions options;
  options.lambda = 0.5;
  const Schedule schedule = lambda_schedule(options, 100);
  EXPECT_EQ(schedule_at(schedule, 0), 0.0);
  EXPECT_NEAR(schedule_at(schedule, 25), 0.5 * (2.0 / (1.0 + std::exp(-2.5)) - 1.0), 1e-12);
  EXPECT_NEAR(schedule_at(schedule, 100), 0.5 * (2.0 / (1.0 + std::exp(-10.0)) - 1.0), 1e-12);
}

TEST(ScheduleTest, ConstantLambdaIgnoresGamma) {
  DannOptions options;
  options.lambda_schedule = LambdaSchedule::kConstant;
  options.lambda = 0.3;
  const Schedule schedule = lambda_schedule(options, 100);
  EXPECT_EQ(schedule_at(schedule, 0), 0.3);
  EXPECT_EQ(schedule_at(schedule, 77), 0.3);
}

TEST(ScheduleTest, LearningRateFollowsItsFormula) {
  TrainingOptions options;
  EXPECT_NEAR(schedule_at(learning_rate_schedule(options, 40), 10), 0.01 / std::pow(3.5, 0.75),
              1e-12);
  options.learning_rate_schedule = LearningRateSchedule::kStep;
  EXPECT_NEAR(schedule_at(learning_rate_schedule(options, 40), 10), 0.01 * std::pow(1.01, -0.75),
              1e-12);
  options.learning_rate_schedule = LearningRateSchedule::kConstant;
  EXPECT_EQ(schedule_at(learning_rate_schedule(options, 40), 10), 0.01);
}

TEST(PrecisionTest, NamesAreStableAndLeadBack) {
  EXPECT_EQ(name_of(Math::kTf32x3), "tf32x3");
  for (const Math math : {Math::kF32, Math::kTf32, Math::kBf16, Math::kTf32x3}) {
    EXPECT_EQ(math_from_name(name_of(math)), math);
  }
  EXPECT_EQ(refusal([] { math_from_name("fp16"); }),
            "--precision: there is no \"fp16\"; choose one of f32, tf32, bf16, tf32x3");
}

double rate_at(const std::vector<Setting>& settings, std::int64_t step) {
  return schedule_at(learning_rate_schedule(with(settings).training, 100), step);
}

TEST(LearningRateTest, FallsToItsEndAsItsScheduleSays) {
  const auto of = [](const char* schedule, double end) {
    return std::vector<Setting>{
        {"learning-rate", 0.2}, {"learning-rate-schedule", schedule}, {"learning-rate-end", end}};
  };
  for (const char* schedule : {"cosine", "arc", "linear"}) {
    EXPECT_EQ(rate_at(of(schedule, 0.25), 0), 0.2) << schedule;
    EXPECT_EQ(rate_at(of(schedule, 0.25), 100), 0.05) << schedule;
  }
  EXPECT_NEAR(rate_at(of("cosine", 0.25), 50), 0.2 * (0.25 + 0.75 * 0.5), 1e-15);
  EXPECT_NEAR(rate_at(of("arc", 0.25), 50), 0.2 * std::cos(0.5 * std::acos(0.25)), 1e-15);
  EXPECT_NEAR(rate_at(of("linear", 0.25), 50), 0.2 * 0.625, 1e-15);
}

TEST(LearningRateTest, RisesToItsScheduleInTheFirstSteps) {
  for (const char* schedule : {"progress", "step", "constant", "cosine", "arc", "linear"}) {
    const std::vector<Setting> settings{{"learning-rate-schedule", schedule}};
    std::vector<Setting> warm(settings);
    warm.emplace_back("warmup-steps", std::int64_t{8});
    EXPECT_NEAR(rate_at(warm, 1), 0.25 * rate_at(settings, 1), 1e-17) << schedule;
    EXPECT_EQ(rate_at(warm, 7), rate_at(settings, 7)) << schedule;
    EXPECT_EQ(rate_at(warm, 50), rate_at(settings, 50)) << schedule;
  }
}

TEST(AugmentationOptions, EachDomainHasItsOwnOrTheCommonOne) {
  TrainingOptions options;
  EXPECT_TRUE(source_augmentation(options).steps.empty());
  options.augment = "weak";
  options.target_augment = "shift=2, flip@0.5";
  EXPECT_EQ(source_augmentation(options), parse_augmentation("shift=3"));
  EXPECT_EQ(target_augmentation(options), parse_augmentation("shift=2, flip@0.5"));
  options.source_augment = "none";
  EXPECT_TRUE(source_augmentation(options).steps.empty());
}

TEST(AugmentationOptions, AMistakeNamesItsOption) {
  for (const char* name : {"augment", "source-augment", "target-augment"}) {
    Recipe recipe;
    recipe.field(name).set("shift=3, cutout=14");
    EXPECT_NO_THROW(require_valid(recipe));
    recipe.field(name).set("shift=2.5");
    EXPECT_THAT([&] { require_valid(recipe); },
                ::testing::ThrowsMessage<std::invalid_argument>(::testing::StartsWith(
                    std::string("--") + name + ": \"shift=2.5\": shift takes pixels from 0 up")));
  }
  Recipe recipe;
  recipe.training.augment = "same";
  EXPECT_THROW(require_valid(recipe), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
