#include "kernels/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
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

TEST(ScheduleTest, ProgressStopsAtOne) {
  for (const Schedule& schedule : {kLambda, kLearningRate}) {
    EXPECT_EQ(schedule_at(schedule, 1000), schedule_at(schedule, 1001));
    EXPECT_EQ(schedule_at(schedule, 1000), schedule_at(schedule, std::int64_t{1} << 60U));
  }
}

TEST(ScheduleTest, CountsFromItsFirstStep) {
  for (Schedule schedule : {kLambda, kLearningRate}) {
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
    EXPECT_FLOAT_EQ(this->evaluate(kLambda, step), static_cast<float>(schedule_at(kLambda, step)));
    EXPECT_FLOAT_EQ(this->evaluate(kLearningRate, step),
                    static_cast<float>(schedule_at(kLearningRate, step)));
  }
}

TYPED_TEST(EvaluateScheduleTest, RefusesATotalOfNoSteps) {
  EXPECT_THROW(this->evaluate({.start = 1.0, .total_steps = 0}, 0), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
