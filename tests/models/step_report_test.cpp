#include "models/step_report.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace gradflip {
namespace {

const std::vector<ReportColumn> kColumns{{"critic_score"}, {"temperature", true}, {"share"}};

using Values = std::vector<double>;
using Places = std::vector<std::size_t>;
const Places kAllPlaces{0, 1, 2};

TEST(StepMeansTest, AreMeansOfWhatVariesAndTheLastOfWhatIsScheduled) {
  StepMeans means(kColumns);
  for (const double value : {1.0, 2.0, 6.0}) {
    means.add(Values{value, 4.0 * value, -value}, kAllPlaces);
  }
  const StepReport& report = means.report();
  EXPECT_EQ(report.steps, 3);
  EXPECT_EQ(
      report.values,
      (std::vector<Reported>{{"critic_score", 3.0}, {"temperature", 24.0, true}, {"share", -3.0}}));
}

TEST(StepMeansTest, OfNoStepsAreZero) {
  StepMeans means(kColumns);
  const StepReport none{.steps = 0,
                        .values = {{"critic_score"}, {"temperature", 0.0, true}, {"share"}}};
  EXPECT_EQ(means.report(), none);
  means.add(Values{1.0, 2.0, 3.0}, kAllPlaces);
  EXPECT_NE(means.report(), none);
  means.clear();
  EXPECT_EQ(means.report(), none);
  means.add(Values{1.0, 2.0, 3.0}, kAllPlaces);
  EXPECT_EQ(means.report().find("share"), 3.0);
}

// A stage of a method may tell other columns than the one before it.
TEST(StepMeansTest, AColumnsMeanIsOverTheStepsThatToldIt) {
  StepMeans means(kColumns);
  means.add(Values{2.0}, Places{0});
  EXPECT_EQ(means.report().values, (std::vector<Reported>{{"critic_score", 2.0}}));
  means.add(Values{5.0, 7.0}, Places{2, 1});
  means.add(Values{6.0, 9.0}, Places{2, 1});
  EXPECT_EQ(means.report().steps, 3);
  EXPECT_EQ(
      means.report().values,
      (std::vector<Reported>{{"critic_score", 2.0}, {"temperature", 9.0, true}, {"share", 5.5}}));
  means.clear();
  means.add(Values{4.0}, Places{2});
  EXPECT_EQ(means.report().values, (std::vector<Reported>{{"share", 4.0}}));
}

// Means of means would have other last digits.
TEST(StepMeansTest, AddOneStepAfterTheOther) {
  const std::vector<ReportColumn> one{{"x"}};
  StepMeans means(one);
  double sum = 0.0;
  for (int step = 1; step <= 100; ++step) {
    means.add(Values{1.0 / step}, Places{0});
    sum += 1.0 / step;
    EXPECT_EQ(means.report().find("x"), sum / step);
  }
}

TEST(StepMeansTest, RefuseWhatDoesNotFitTheColumns) {
  StepMeans means(kColumns);
  EXPECT_THROW(means.add(Values{1.0, 2.0}, kAllPlaces), std::invalid_argument);
  EXPECT_THROW(means.add(Values(3), Places{0, 1, 3}), std::invalid_argument);
  EXPECT_EQ(means.report().steps, 0);
  for (const std::vector<ReportColumn>& bad :
       {std::vector<ReportColumn>{{"x"}, {"y"}, {"x", true}}, std::vector<ReportColumn>{{""}}}) {
    EXPECT_THROW(StepMeans{bad}, std::invalid_argument);
  }
}

TEST(StepReportTest, FindsByTheWholeName) {
  const StepReport report{.steps = 1, .values = {{"label_loss", 0.5}, {"loss", 0.25}}};
  EXPECT_EQ(report.find("loss"), 0.25);
  EXPECT_EQ(report.find("label_loss"), 0.5);
  EXPECT_FALSE(report.find("label"));
  EXPECT_FALSE(report.find(""));
}

}  // namespace
}  // namespace gradflip
