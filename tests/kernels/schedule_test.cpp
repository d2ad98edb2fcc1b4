#include "kernels/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <stdexcept>

#include "tests/support/backends.h"

namespace gradflip {
namespace {

constexpr Schedule kLambda = {
    .kind = Schedule::Kind::kSigmoidRamp, .start = 1.0, .gamma = 10.0, .total_steps = 1000};
constexpr Schedule kLearningRate = {.kind = Schedule::Kind::kProgressDecay,
                                    .start = 0.01,
                                    .alpha = 10.0,
                                    .beta = 0.75,
                                    .total_steps = 1000};
constexpr Schedule kCosine = {
    .kind = Schedule::Kind::kCosine, .start = 0.1, .end = 0.25, .total_steps = 1000};
constexpr Schedule kLinear = {.kind = Schedule::Kind::kLinear,
                              .start = 0.1,
                              .end = 0.01,
                              .total_steps = 1000,
                              .warmup_steps = 30};

// Expected values were worked out apart from the code, from the formulas of the papers.
TEST(ScheduleTest, LambdaRisesAsInThePaper) {
  EXPECT_EQ(schedule_at(kLambda, 0), 0.0);
  EXPECT_NEAR(schedule_at(kLambda, 100), 0.46211715726000975, 1e-15);   // tanh(1/2)
  EXPECT_NEAR(schedule_at(kLambda, 500), 0.98661429815143042, 1e-15);   // tanh(5/2)
  EXPECT_NEAR(schedule_at(kLambda, 1000), 0.99990920426259522, 1e-15);  // tanh(5)
  for (std::int64_t step = 0; step < 1000; ++step) {
    EXPECT_LT(schedule_at(kLambda, step), schedule_at(kLambda, step + 1));
    EXPECT_NEAR(schedule_at(kLambda, step), std::tanh(5e-3 * static_cast<double>(step)), 1e-15);
  }
}

TEST(ScheduleTest, LearningRateFallsAsInThePaper) {
  EXPECT_EQ(schedule_at(kLearningRate, 0), 0.01);
  EXPECT_NEAR(schedule_at(kLearningRate, 1000), 0.0016556002607617, 1e-15);  // 0.01 / 11^0.75
  EXPECT_NEAR(schedule_at(kLearningRate, 300), 0.0035355339059327, 1e-15);   // 0.01 / 4^0.75
}

TEST(ScheduleTest, StepDecayCountsStepsAndIgnoresTheTotal) {
  constexpr Schedule kByStep = {.kind = Schedule::Kind::kStepDecay,
                                .start = 0.01,
                                .beta = 0.75,
                                .gamma = 1e-3,
                                .total_steps = 10};
  EXPECT_EQ(schedule_at(kByStep, 0), 0.01);
  EXPECT_NEAR(schedule_at(kByStep, 3000), 0.0035355339059327, 1e-15);  // 0.01 * 4^-0.75
  EXPECT_NEAR(schedule_at(kByStep, 15000), 0.00125, 1e-15);            // 0.01 * 16^-0.75
}

TEST(ScheduleTest, CosineFallsByHalfATurn) {
  constexpr Schedule kToZero = {.kind = Schedule::Kind::kCosine, .start = 0.5, .total_steps = 1000};
  Schedule to_a_tenth = kToZero;
  to_a_tenth.end = 0.1;
  EXPECT_EQ(schedule_at(kToZero, 0), 0.5);
  EXPECT_NEAR(schedule_at(kToZero, 500), 0.25, 1e-15);
  EXPECT_EQ(schedule_at(kToZero, 1000), 0.0);
  EXPECT_EQ(schedule_at(to_a_tenth, 0), 0.5);
  EXPECT_EQ(schedule_at(to_a_tenth, 1000), 0.05);
  for (std::int64_t step = 0; step < 1000; ++step) {
    const double p = static_cast<double>(step) / 1000.0;
    const double share = 0.5 * (1.0 + std::cos(p * std::numbers::pi));
    EXPECT_NEAR(schedule_at(kToZero, step), 0.5 * share, 1e-15);
    EXPECT_NEAR(schedule_at(to_a_tenth, step), 0.5 * (0.1 + 0.9 * share), 1e-15);
    EXPECT_GT(schedule_at(kToZero, step), schedule_at(kToZero, step + 1));
  }
}

// FixMatch (Sohn et al., 2020) and AdaMatch (Berthelot et al., ICLR 2022).
TEST(ScheduleTest, ACosineMayStopWhereItIsItsEnd) {
  for (const double end : {std::cos(7.0 * std::numbers::pi / 16.0), 0.25, 0.0}) {
    const double arc = std::acos(end);
    const Schedule schedule = {
        .kind = Schedule::Kind::kCosine, .start = 2.0, .end = end, .arc = arc, .total_steps = 1000};
    for (std::int64_t step = 0; step <= 1000; ++step) {
      EXPECT_NEAR(schedule_at(schedule, step),
                  2.0 * std::cos(arc * 1e-3 * static_cast<double>(step)), 1e-14);
    }
    EXPECT_EQ(schedule_at(schedule, 1000), 2.0 * end);
  }
}

// To zero, but not before the end, however long the run.
TEST(ScheduleTest, TheLastStepOfALongRunIsAboveZero) {
  for (const auto kind : {Schedule::Kind::kCosine, Schedule::Kind::kLinear}) {
    for (const std::int64_t steps : {std::int64_t{2}, std::int64_t{1'000'000'000'000}}) {
      const Schedule schedule = {.kind = kind, .start = 1.0, .total_steps = steps};
      EXPECT_GT(schedule_at(schedule, steps - 1), 1e-24);
      EXPECT_EQ(schedule_at(schedule, steps), 0.0);
    }
  }
}

TEST(ScheduleTest, LinearFallsEvenly) {
  const Schedule schedule = {
      .kind = Schedule::Kind::kLinear, .start = 0.5, .end = 0.2, .total_steps = 1000};
  EXPECT_EQ(schedule_at(schedule, 0), 0.5);
  EXPECT_NEAR(schedule_at(schedule, 250), 0.4, 1e-15);
  EXPECT_EQ(schedule_at(schedule, 1000), 0.1);
}

TEST(ScheduleTest, AWarmUpRisesToAnyOfThem) {
  for (Schedule schedule : {kLearningRate, Schedule{.start = 0.3}, kCosine, kLinear}) {
    schedule.first_step = 7;
    schedule.warmup_steps = 0;
    const Schedule warm = [&] {
      Schedule with = schedule;
      with.warmup_steps = 4;
      return with;
    }();
    for (const std::int64_t step : {0, 1, 2, 3, 4, 5, 999, 2000}) {
      const double share = step < 3 ? (static_cast<double>(step) + 1.0) / 4.0 : 1.0;
      EXPECT_NEAR(schedule_at(warm, 7 + step), share * schedule_at(schedule, 7 + step), 1e-16);
    }
    EXPECT_EQ(schedule_at(warm, 0), schedule_at(warm, 7));
  }
}

TEST(ScheduleTest, ProgressStopsAtOne) {
  for (const Schedule& schedule : {kLambda, kLearningRate, kCosine, kLinear}) {
    EXPECT_EQ(schedule_at(schedule, 1000), schedule_at(schedule, 1001));
    EXPECT_EQ(schedule_at(schedule, 1000), schedule_at(schedule, std::int64_t{1} << 60U));
  }
}

TEST(ScheduleTest, CountsFromItsFirstStep) {
  for (Schedule schedule : {kLambda, kLearningRate, kCosine, kLinear}) {
    const double start = schedule_at(schedule, 0), later = schedule_at(schedule, 300);
    schedule.first_step = 500;
    EXPECT_EQ(schedule_at(schedule, 499), start);
    EXPECT_EQ(schedule_at(schedule, 500), start);
    EXPECT_EQ(schedule_at(schedule, 800), later);
  }
}

template <typename Ctx>
class EvaluateScheduleTest : public BackendTest<Ctx> {
 protected:
  float evaluate(const Schedule& schedule, std::int64_t step) {
    const auto steps = this->upload(std::vector<std::int64_t>{step});
    auto value = this->poisoned(1);
    evaluate_schedule(this->ctx(), schedule, steps.data(), value.data());
    return value.read()[0];
  }
};
TYPED_TEST_SUITE(EvaluateScheduleTest, Backends, BackendNames);

TYPED_TEST(EvaluateScheduleTest, RoundsTheFormulaToFloat) {
  constexpr Schedule kConstant = {.start = 0.3};
  EXPECT_EQ(this->evaluate(kConstant, 12), 0.3F);
  for (const std::int64_t step : {0, 1, 500, 999, 1000, 5000}) {
    for (const Schedule& schedule : {kLambda, kLearningRate, kCosine, kLinear}) {
      EXPECT_FLOAT_EQ(this->evaluate(schedule, step),
                      static_cast<float>(schedule_at(schedule, step)));
    }
  }
}

TYPED_TEST(EvaluateScheduleTest, RefusesATotalOfNoSteps) {
  EXPECT_THROW(this->evaluate({.start = 1.0, .total_steps = 0}, 0), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
