#include "models/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace gradflip {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(PresetTest, PaperHoldsTheNumbersOfThePaper) {
  const TrainingOptions paper = preset("paper");
  EXPECT_EQ(paper.preset, "paper");
  EXPECT_EQ(paper.source_batch, 64);
  EXPECT_EQ(paper.target_batch, 64);
  EXPECT_EQ(paper.learning_rate, 0.01);
  EXPECT_EQ(paper.learning_rate_schedule, LearningRateSchedule::kProgress);
  EXPECT_EQ(paper.learning_rate_alpha, 10.0);
  EXPECT_EQ(paper.learning_rate_beta, 0.75);
  EXPECT_EQ(paper.momentum, 0.9);
  EXPECT_EQ(paper.weight_decay, 0.0);
  EXPECT_EQ(paper.label_smoothing, 0.0);
  EXPECT_EQ(paper.gamma, 10.0);
  EXPECT_EQ(paper.lambda, 1.0);
  EXPECT_EQ(paper.lambda_applies_to, LambdaAppliesTo::kFeatures);
  EXPECT_EQ(paper.domain_reduction, DomainReduction::kSumOfMeans);
  EXPECT_EQ(paper.domain_logits, 1);
}

TEST(PresetTest, DeepdaDiffersWhereItsRecipeDoes) {
  const TrainingOptions deepda = preset("deepda");
  EXPECT_EQ(deepda.preset, "deepda");
  EXPECT_EQ(deepda.gamma, 1.0);
  EXPECT_EQ(deepda.domain_weight, 1.0);
  EXPECT_EQ(deepda.domain_reduction, DomainReduction::kHalf);
  EXPECT_EQ(deepda.learning_rate, 0.01);
  EXPECT_EQ(deepda.learning_rate_schedule, LearningRateSchedule::kStep);
  EXPECT_EQ(deepda.decay_gamma, 1e-3);
  EXPECT_EQ(deepda.decay_power, 0.75);
  EXPECT_EQ(deepda.weight_decay, 1e-3);
  EXPECT_EQ(deepda.label_smoothing, 0.1);
  EXPECT_EQ(deepda.momentum, 0.9);
  EXPECT_EQ(deepda.source_batch, 64);
}

TEST(PresetTest, EveryNamedPresetExistsAndIsValid) {
  for (const std::string& name : preset_names()) {
    EXPECT_EQ(preset(name).preset, name);
    EXPECT_NO_THROW(require_valid(preset(name))) << name;
  }
}

TEST(PresetTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const std::string text = refusal([] { preset("papier"); });
  EXPECT_THAT(text, HasSubstr("papier"));
  for (const std::string& name : preset_names()) EXPECT_THAT(text, HasSubstr(name));
}

struct BadValue {
  const char* option;
  std::function<void(TrainingOptions&)> set;
};

TEST(RequireValidTest, NamesTheOptionThatIsOutOfRange) {
  const std::vector<BadValue> cases = {
      {"--source-batch", [](auto& o) { o.source_batch = 0; }},
      {"--target-batch", [](auto& o) { o.target_batch = -1; }},
      {"--epochs", [](auto& o) { o.epochs = 0; }},
      {"--steps", [](auto& o) { o.steps = -1; }},
      {"--learning-rate:", [](auto& o) { o.learning_rate = 0.0; }},
      {"--learning-rate:", [](auto& o) { o.learning_rate = kNan; }},
      {"--learning-rate:", [](auto& o) { o.learning_rate = kInfinity; }},
      {"--learning-rate-alpha", [](auto& o) { o.learning_rate_alpha = -1.0; }},
      {"--learning-rate-beta", [](auto& o) { o.learning_rate_beta = kNan; }},
      {"--decay-gamma", [](auto& o) { o.decay_gamma = -1e-9; }},
      {"--decay-power", [](auto& o) { o.decay_power = kInfinity; }},
      {"--momentum", [](auto& o) { o.momentum = 1.0; }},
      {"--momentum", [](auto& o) { o.momentum = kNan; }},
      {"--weight-decay", [](auto& o) { o.weight_decay = -1.0; }},
      {"--label-smoothing", [](auto& o) { o.label_smoothing = 1.0; }},
      {"--lambda", [](auto& o) { o.lambda = -0.5; }},
      {"--gamma", [](auto& o) { o.gamma = 0.0; }},
      {"--domain-weight", [](auto& o) { o.domain_weight = -1.0; }},
      {"--domain-logits", [](auto& o) { o.domain_logits = 3; }},
  };
  for (const BadValue& bad : cases) {
    SCOPED_TRACE(bad.option);
    TrainingOptions options;
    bad.set(options);
    const std::string text = refusal([&] { require_valid(options); });
    EXPECT_THAT(text, HasSubstr(bad.option));
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

// In range as written, and 0, 1 or infinite in f32.
TEST(RequireValidTest, RefusesWhatF32CannotHold) {
  const std::vector<BadValue> cases = {
      {"--learning-rate", [](auto& o) { o.learning_rate = 1e-60; }},
      {"--learning-rate", [](auto& o) { o.learning_rate = 1e-40; }},  // subnormal
      {"--learning-rate", [](auto& o) { o.learning_rate = 1e39; }},
      {"--lambda", [](auto& o) { o.lambda = 1e-60; }},
      {"--lambda", [](auto& o) { o.lambda = 1e39; }},
      {"--weight-decay", [](auto& o) { o.weight_decay = 1e-46; }},
      {"--weight-decay", [](auto& o) { o.weight_decay = 3.5e38; }},
      {"--domain-weight", [](auto& o) { o.domain_weight = 1e-60; }},
      {"--domain-weight", [](auto& o) { o.domain_weight = 1e39; }},
      {"--momentum", [](auto& o) { o.momentum = 0.99999999999; }},
      {"--momentum", [](auto& o) { o.momentum = 1e-60; }},
      {"--label-smoothing", [](auto& o) { o.label_smoothing = 0.99999999999; }},
      {"--label-smoothing", [](auto& o) { o.label_smoothing = 1e-60; }},
      // A half of it is too small, though it is not.
      {"--domain-weight",
       [](auto& o) {
         o.domain_reduction = DomainReduction::kHalf;
         o.domain_weight = 1.3e-38;
       }},
      // Schedules that leave nothing of what they are of.
      {"--learning-rate-beta", [](auto& o) { o.learning_rate_beta = 1e308; }},
      {"--learning-rate-alpha", [](auto& o) { o.learning_rate_alpha = 1e308; }},
      {"--decay-power",
       [](auto& o) {
         o.learning_rate_schedule = LearningRateSchedule::kStep;
         o.decay_gamma = 1.0;
         o.decay_power = 1e6;
       }},
      {"--gamma", [](auto& o) { o.gamma = 1e-320; }},
      // By the last step, which is known here.
      {"--decay-power",
       [](auto& o) {
         o.learning_rate_schedule = LearningRateSchedule::kStep;
         o.decay_gamma = 1.0;
         o.decay_power = 30.0;
         o.steps = 100;
       }},
      // A product of numbers that are each in range.
      {"--domain-weight", [](auto& o) { o.lambda = o.domain_weight = 1e-30; }},
  };
  for (const BadValue& bad : cases) {
    TrainingOptions options;
    bad.set(options);
    const std::string text = refusal([&] { require_valid(options); });
    SCOPED_TRACE(text);
    EXPECT_THAT(text, HasSubstr(bad.option));
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

// A subnormal number is not 0, though training could not tell it from that.
TEST(RequireValidTest, SaysOnWhichSideOfF32ANumberIs) {
  TrainingOptions options;
  for (const double value : {1e-40, 1e-60}) {
    options.lambda = value;
    EXPECT_THAT(refusal([&] { require_valid(options); }),
                HasSubstr("is below the smallest normal number of f32"));
  }
  options.lambda = 1e39;
  EXPECT_THAT(refusal([&] { require_valid(options); }),
              HasSubstr("is above the largest number of f32"));
}

TEST(RequireValidTest, TakesTheNumbersAtTheEdge) {
  const std::vector<std::function<void(TrainingOptions&)>> cases = {
      [](auto& o) { o.learning_rate = 1e-30; },
      [](auto& o) { o.lambda = 3.4e38; },
      [](auto& o) { o.momentum = o.weight_decay = o.label_smoothing = 0.0; },
      [](auto& o) { o.lambda = o.domain_weight = 0.0; },
      [](auto& o) { o.lambda = o.domain_weight = 1e30; },  // diverges, and says so
      [](auto& o) { o.momentum = 0.9999999; },
      [](auto& o) { o.gamma = 1e308; },  // a step
      [](auto& o) { o.learning_rate_alpha = o.learning_rate_beta = 0.0; },
      // Shapes of schedules that are not in use do no harm.
      [](auto& o) { o.decay_gamma = o.decay_power = 1e308; },
      [](auto& o) {
        o.lambda_schedule = LambdaSchedule::kConstant;
        o.gamma = 1e-320;
      },
  };
  for (const auto& set : cases) {
    TrainingOptions options;
    set(options);
    EXPECT_EQ(refusal([&] { require_valid(options); }), "");
  }
}

TEST(RequireSchedulesTest, KnowsTheLengthOfTheRun) {
  TrainingOptions options;
  options.learning_rate_schedule = LearningRateSchedule::kStep;
  options.decay_gamma = 1.0;
  options.decay_power = 30.0;
  EXPECT_EQ(refusal([&] { require_valid(options); }), "");
  EXPECT_EQ(refusal([&] { require_schedules(options, 12); }), "");
  EXPECT_THAT(refusal([&] { require_schedules(options, 100); }), HasSubstr("--decay-power"));
  for (const std::string& name : preset_names()) {
    EXPECT_EQ(refusal([&] { require_schedules(preset(name), kMaxSteps); }), "") << name;
  }
}

TEST(ScheduleTest, RampFollowsThePapersFormula) {
  TrainingOptions options;
  options.lambda = 0.5;
  const Schedule schedule = lambda_schedule(options, 100);
  EXPECT_EQ(schedule_at(schedule, 0), 0.0);
  EXPECT_NEAR(schedule_at(schedule, 25), 0.5 * (2.0 / (1.0 + std::exp(-2.5)) - 1.0), 1e-12);
  EXPECT_NEAR(schedule_at(schedule, 100), 0.5 * (2.0 / (1.0 + std::exp(-10.0)) - 1.0), 1e-12);
}

TEST(ScheduleTest, ConstantLambdaIgnoresGamma) {
  TrainingOptions options;
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

TEST(OptionNamesTest, NamesAreStableAndLeadBack) {
  EXPECT_EQ(name_of(LambdaSchedule::kRamp), "ramp");
  EXPECT_EQ(name_of(LambdaAppliesTo::kBoth), "both");
  EXPECT_EQ(name_of(DomainReduction::kSumOfMeans), "sum_of_means");
  EXPECT_EQ(name_of(LearningRateSchedule::kStep), "step");
  for (const auto value : {LambdaSchedule::kRamp, LambdaSchedule::kConstant}) {
    EXPECT_EQ(lambda_schedule_from_name(name_of(value)), value);
  }
  for (const auto value : {LambdaAppliesTo::kFeatures, LambdaAppliesTo::kBoth}) {
    EXPECT_EQ(lambda_applies_to_from_name(name_of(value)), value);
  }
  for (const auto value :
       {DomainReduction::kSumOfMeans, DomainReduction::kHalf, DomainReduction::kMean}) {
    EXPECT_EQ(domain_reduction_from_name(name_of(value)), value);
  }
  for (const auto value : {LearningRateSchedule::kProgress, LearningRateSchedule::kStep,
                           LearningRateSchedule::kConstant}) {
    EXPECT_EQ(learning_rate_schedule_from_name(name_of(value)), value);
  }
}

TEST(OptionNamesTest, AnUnknownNameIsAnsweredWithTheChoices) {
  EXPECT_THAT(refusal([] { domain_reduction_from_name("sum"); }),
              HasSubstr("sum_of_means, half, mean"));
  EXPECT_THAT(refusal([] { lambda_schedule_from_name(""); }), HasSubstr("--lambda-schedule"));
  EXPECT_THAT(refusal([] { lambda_applies_to_from_name("Features"); }),
              HasSubstr("features, both"));
  EXPECT_THAT(refusal([] { learning_rate_schedule_from_name("cosine"); }),
              HasSubstr("progress, step, constant"));
}

}  // namespace
}  // namespace gradflip
