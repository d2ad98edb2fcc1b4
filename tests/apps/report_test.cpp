#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "apps/common/report/run_result.h"
#include "apps/common/report/table.h"
#include "apps/common/report/wall_time.h"
#include "tests/apps/report_cases.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string line_with(const std::string& text, const std::string& start) {
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with(start)) return line;
  }
  return "";
}

TEST(StatisticsTest, MeanAndSampleDeviation) {
  const Statistics three = statistics_of({0.1, 0.2, 0.6});
  EXPECT_NEAR(three.mean, 0.3, 1e-15);
  ASSERT_TRUE(three.deviation);
  EXPECT_NEAR(*three.deviation, std::sqrt((0.04 + 0.01 + 0.09) / 2.0), 1e-15);
  EXPECT_FALSE(statistics_of({0.7}).deviation);
  EXPECT_EQ(*statistics_of({0.5, 0.5}).deviation, 0.0);
  EXPECT_THROW(statistics_of({}), std::invalid_argument);
}

// As they stand in a document whatever the runs' order.
TEST(ColumnsTest, OfAllRunsAreEachNameOnceWhereItsRunHasIt) {
  std::vector<RunResult> runs = three_modes();
  const std::vector<ReportColumn> dann = runs[1].columns;
  ASSERT_NE(runs[0].columns, dann);
  EXPECT_EQ(columns_of(runs), dann);
  std::swap(runs[0], runs[1]);
  EXPECT_EQ(columns_of(runs), dann);
  runs = {of_another_method(runs[0]), runs[0]};
  EXPECT_EQ(columns_of(runs), (std::vector<ReportColumn>{{"label_loss"},
                                                         {"domain_loss"},
                                                         {"domain_accuracy"},
                                                         {"lambda", true},
                                                         {"learning_rate", true},
                                                         {"critic_score"},
                                                         {"temperature", true},
                                                         {"teacher_accuracy"}}));
  EXPECT_TRUE(columns_of({}).empty());
}

TEST(SummaryTest, UsesTheLastEpochAndKeepsTheOracleApart) {
  const Summary summary = summarize(three_modes());
  ASSERT_EQ(summary.modes.size(), 3U);
  EXPECT_EQ(summary.modes[1].mode, kDann);
  EXPECT_NEAR(summary.modes[1].target_test_accuracy->mean, 0.70, 1e-15);
  EXPECT_NEAR(summary.modes[1].oracle_target_test_accuracy->mean, 0.75, 1e-15);
  ASSERT_TRUE(summary.modes[1].gap_closed);
  EXPECT_NEAR(*summary.modes[1].gap_closed, (0.70 - 0.40) / (0.90 - 0.40), 1e-12);
  EXPECT_FALSE(summary.modes[0].gap_closed);  // the bounds
  EXPECT_FALSE(summary.modes[2].gap_closed);
}

TEST(SummaryTest, EveryMethodClosesItsOwnPartOfTheGap) {
  std::vector<RunResult> runs = three_modes();
  runs.push_back(run("adversary", 1, {epoch(2, 0.98, 0.45)}));
  const Summary summary = summarize(runs);
  ASSERT_EQ(summary.modes.size(), 4U);
  EXPECT_EQ(summary.modes[3].mode, "adversary");
  EXPECT_NEAR(*summary.modes[3].gap_closed, (0.45 - 0.40) / (0.90 - 0.40), 1e-12);
  EXPECT_NEAR(*summary.find("dann")->gap_closed, 0.6, 1e-12);
}

TEST(SummaryTest, GapClosedIsOfTheMeans) {
  std::vector<RunResult> runs = three_modes();
  runs.push_back(run(kSourceOnly, 2, {epoch(2, 0.98, 0.50)}));
  runs.push_back(run(kDann, 2, {epoch(2, 0.98, 0.60)}));
  const Summary summary = summarize(runs);
  EXPECT_EQ(summary.modes[0].runs, 2);
  EXPECT_EQ(summary.modes[2].runs, 1);
  EXPECT_NEAR(*summary.modes[1].gap_closed, (0.65 - 0.45) / (0.90 - 0.45), 1e-12);
}

TEST(SummaryTest, NoGapWithoutAllModesOrWithoutDifference) {
  std::vector<RunResult> runs = three_modes();
  runs.pop_back();
  EXPECT_FALSE(summarize(runs).find("dann")->gap_closed);
  runs.push_back(run(kTargetOnly, 1, {epoch(2, 0.6, 0.40)}));
  EXPECT_FALSE(summarize(runs).find("dann")->gap_closed);
}

TEST(SummaryTest, LeavesOutRunsThatASignalCutShort) {
  std::vector<RunResult> runs = three_modes();
  runs[1].completed = false;
  const Summary summary = summarize(runs);
  ASSERT_EQ(summary.modes.size(), 2U);
  EXPECT_EQ(summary.modes[1].mode, kTargetOnly);
}

TEST(TableTest, ShowsTheRowsOfThePaper) {
  const std::string text =
      table(three_modes(), {"digits", "digits on textures", false, all_modes()});
  EXPECT_THAT(text, HasSubstr("digits -> digits on textures"));
  const std::string dann = line_with(text, "DANN");
  EXPECT_THAT(dann, HasSubstr("97.00 %"));
  EXPECT_THAT(dann, HasSubstr("70.00 %"));
  EXPECT_THAT(dann, HasSubstr("75.00 %"));
  EXPECT_THAT(dann, HasSubstr("60.0 %"));
  const std::string source_only = line_with(text, "source-only");
  EXPECT_THAT(source_only, HasSubstr("40.00 %"));
  EXPECT_TRUE(source_only.ends_with(" -")) << source_only;
  EXPECT_THAT(line_with(text, "train-on-target"), HasSubstr("90.00 %"));
  EXPECT_THAT(text, HasSubstr("not usable for choosing"));
  EXPECT_THAT(text, HasSubstr("one seed"));
  EXPECT_THAT(text, Not(HasSubstr("±")));
  EXPECT_THAT(text, Not(HasSubstr("transductive")));
  EXPECT_EQ(text.back(), '\n');
}

TEST(TableTest, ShowsTheDeviationOverSeeds) {
  const std::string text =
      table({run(kDann, 1, {epoch(1, 0.97, 0.70)}), run(kDann, 2, {epoch(1, 0.99, 0.74)})},
            {"a", "b", false, {{kDann}, 2}});
  const std::string dann = line_with(text, "DANN");
  EXPECT_THAT(dann, HasSubstr("98.00 ± 1.41 %"));
  EXPECT_THAT(dann, HasSubstr("72.00 ± 2.83 %"));
  EXPECT_TRUE(dann.ends_with(" -")) << "no gap is closed without the other rows: " << dann;
  EXPECT_THAT(text, HasSubstr("over 2 seeds"));
}

// It compares methods by what can be measured of all of them.
TEST(TableTest, HoldsAccuraciesWhateverAMethodReports) {
  std::vector<RunResult> runs = three_modes();
  const std::string usual = table(runs, {"a", "b", false, all_modes()});
  runs[1] = of_another_method(runs[1]);
  EXPECT_EQ(table(runs, {"a", "b", false, all_modes()}), usual);
}

TEST(TableTest, ColumnsStandUnderTheirTitles) {
  const std::string text = table(three_modes(), {"a", "b", false, all_modes()});
  const auto end_of = [](const std::string& line, const std::string& part) {
    return line.find(part) + part.size();
  };
  const std::string titles = lines_of(text)[2];
  const std::string dann = line_with(text, "DANN");
  EXPECT_EQ(end_of(titles, "source test"), end_of(dann, "97.00 %"));
  EXPECT_EQ(end_of(titles, "target test"), end_of(dann, "70.00 %"));
  EXPECT_EQ(end_of(titles, "oracle (+)"), end_of(dann, "75.00 %"));
  EXPECT_EQ(end_of(titles, "gap closed"), end_of(dann, "60.0 %"));
}

TEST(SummaryTest, OfATargetWithoutLabelsHasNoTargetAccuracy) {
  const Summary summary = summarize({unmeasured(run(kDann, 1, {epoch(1, 0.9, 0.5)}))});
  ASSERT_EQ(summary.modes.size(), 1U);
  EXPECT_NEAR(summary.modes[0].source_test_accuracy.mean, 0.9, 1e-15);
  EXPECT_FALSE(summary.modes[0].target_test_accuracy);
  EXPECT_FALSE(summary.modes[0].oracle_target_test_accuracy);
  EXPECT_FALSE(summary.modes[0].gap_closed);
}

TEST(TableTest, ATargetWithoutLabelsHasADash) {
  const std::string text =
      table({unmeasured(run(kDann, 1, {epoch(1, 0.9, 0.5)}))}, {"a", "b", false, {{kDann}, 1}});
  const std::string dann = line_with(text, "DANN");
  EXPECT_THAT(dann, HasSubstr("90.00 %"));
  EXPECT_THAT(dann, Not(HasSubstr("50.00 %")));
  EXPECT_EQ(std::count(dann.begin(), dann.end(), '-'), 3) << dann;
}

TEST(TableTest, AFailedRunIsALineAndNoRow) {
  std::vector<RunResult> runs = three_modes();
  runs[1] = failed(runs[1]);
  runs[2].save_error = RunError{6, "cannot write x"};
  const std::string text = table(runs, {"a", "b", false, all_modes()});
  EXPECT_EQ(line_with(text, "DANN"), "");
  EXPECT_EQ(line_with(text, "failed"),
            "failed: dann seed 1 after 200 steps: training diverged at step 7");
  EXPECT_EQ(line_with(text, "not saved"), "not saved: target-only seed 1: cannot write x");
  EXPECT_THAT(line_with(text, "train-on-target"), HasSubstr("90.00 %"));
}

TEST(TableTest, CountsTheSeedsThatFinished) {
  std::vector<RunResult> runs = three_modes();
  runs.push_back(run(kSourceOnly, 2, {epoch(2, 0.98, 0.50)}));
  runs.push_back(failed(run(kDann, 2, {})));
  const std::string text = table(runs, {"a", "b", false, all_modes(2)});
  EXPECT_THAT(text, HasSubstr("source-only 2 of 2, dann 1 of 2, target-only 1 of 2"));
}

TEST(TableTest, NamesOfFoldersAreOnOneLine) {
  const std::string text = table({}, {"a\nb", "c\x1b[2Jd"});
  EXPECT_THAT(text, ::testing::StartsWith("a\\x0ab -> c\\x1b[2Jd\n\n"));
}

TEST(TableTest, SaysTransductive) {
  const std::string text = table(three_modes(), {"a", "b", true, all_modes()});
  EXPECT_THAT(text, HasSubstr("(*) transductive"));
  EXPECT_THAT(text, HasSubstr("target train*"));
}

TEST(TableTest, SaysHowFarAnInterruptedRunCame) {
  std::vector<RunResult> runs = three_modes();
  runs[2].completed = false;
  runs.push_back(run(kTargetOnly, 2, {}));
  runs.back().completed = false;
  const std::string text = table(runs, {"a", "b", false, all_modes()});
  EXPECT_EQ(line_with(text, "train-on-target"), "");
  EXPECT_THAT(text, HasSubstr("target-only seed 1 after 200 steps; target test 90.00 %"));
  EXPECT_THAT(text, HasSubstr("target-only seed 2 after 7 steps\n"));
  EXPECT_THAT(table({runs.back()}, {"a", "b", false, all_modes()}),
              HasSubstr("no run was completed"));
}

TEST(WallTimeTest, SharesOfNothingAreZero) {
  EXPECT_EQ(text_of(WallTime{}), "0.0 s: 0.0 % steps, 0.0 % evaluation, 0.0 % data, 0.0 % other");
  EXPECT_EQ(text_of(WallTime{.seconds = 20.0, .steps = 15.0, .evaluation = 3.0, .data = 1.5}),
            "20.0 s: 75.0 % steps, 15.0 % evaluation, 7.5 % data, 2.5 % other");
}

}  // namespace
}  // namespace gradflip
