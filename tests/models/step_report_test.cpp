#include "models/step_report.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace gradflip {
namespace {

StepReport step(double value) {
  return {.steps = 1,
          .label_loss = value,
          .domain_loss = 2 * value,
          .domain_accuracy = 3 * value,
          .learning_rate = 4 * value,
          .lambda = 5 * value};
}

TEST(StepMeansTest, AreMeansOfWhatVariesAndTheLastOfWhatIsScheduled) {
  StepMeans means;
  for (const double value : {1.0, 2.0, 6.0}) means.add(step(value));
  const StepReport report = means.report();
  EXPECT_EQ(report.steps, 3);
  EXPECT_EQ(report.label_loss, 3.0);
  EXPECT_EQ(report.domain_loss, 6.0);
  EXPECT_EQ(report.domain_accuracy, 9.0);
  EXPECT_EQ(report.learning_rate, 24.0);
  EXPECT_EQ(report.lambda, 30.0);
}

TEST(StepMeansTest, OfNoStepsAreZero) {
  const StepReport report = StepMeans().report();
  EXPECT_EQ(report.steps, 0);
  EXPECT_EQ(report.label_loss, 0.0);
}

// Means of means would have other last digits.
TEST(StepMeansTest, RefuseReportsOfSeveralSteps) {
  StepMeans means;
  means.add(step(1.0));
  means.add(step(2.0));
  EXPECT_THROW(StepMeans().add(means.report()), std::invalid_argument);
  EXPECT_THROW(StepMeans().add({}), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
