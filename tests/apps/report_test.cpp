#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "apps/common/report/json.h"
#include "apps/common/report/run_result.h"
#include "apps/common/report/table.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

EpochResult epoch(std::int64_t number, double source, double target) {
  EpochResult result;
  result.epoch = number;
  result.steps = 100 * number;
  result.label_loss = 0.25 / static_cast<double>(number);
  result.learning_rate = 0.01;
  result.source_test_accuracy = source;
  result.target_test_accuracy = target;
  result.seconds = 2.0 * static_cast<double>(number);
  return result;
}

RunResult run(Mode mode, std::uint64_t seed, std::vector<EpochResult> history) {
  RunResult result;
  result.mode = mode;
  result.seed = seed;
  result.steps = history.empty() ? 7 : history.back().steps;
  result.seconds = 4.0;
  result.evaluation_seconds = 0.5;
  result.data_seconds = 0.25;
  result.wall_seconds = 5.0;
  result.steps_per_epoch = 50;
  result.images_per_second = 1600.0;
  result.history = std::move(history);
  result.completed = true;
  if (mode == Mode::kDann) {
    for (EpochResult& entry : result.history) {
      entry.domain_loss = 0.69;
      entry.domain_accuracy = 0.5;
      entry.lambda = 0.9;
    }
  }
  return result;
}

std::vector<RunResult> three_modes() {
  return {run(Mode::kSourceOnly, 1, {epoch(1, 0.90, 0.50), epoch(2, 0.98, 0.40)}),
          run(Mode::kDann, 1, {epoch(1, 0.91, 0.75), epoch(2, 0.97, 0.70)}),
          run(Mode::kTargetOnly, 1, {epoch(1, 0.60, 0.85), epoch(2, 0.62, 0.90)})};
}

Plan all_modes(std::int64_t seeds = 1) {
  return {{Mode::kSourceOnly, Mode::kDann, Mode::kTargetOnly}, seeds};
}

// As it is on a target without labels.
RunResult unmeasured(RunResult run) {
  run.measures_target = false;
  for (EpochResult& epoch : run.history) epoch.target_test_accuracy.reset();
  return run;
}

RunResult failed(RunResult run) {
  run.completed = false;
  run.error = RunError{7, "training diverged at step 7"};
  return run;
}

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

TEST(SummaryTest, UsesTheLastEpochAndKeepsTheOracleApart) {
  const Summary summary = summarize(three_modes());
  ASSERT_EQ(summary.modes.size(), 3U);
  EXPECT_EQ(summary.modes[1].mode, Mode::kDann);
  EXPECT_NEAR(summary.modes[1].target_test_accuracy->mean, 0.70, 1e-15);
  EXPECT_NEAR(summary.modes[1].oracle_target_test_accuracy->mean, 0.75, 1e-15);
  ASSERT_TRUE(summary.gap_closed);
  EXPECT_NEAR(*summary.gap_closed, (0.70 - 0.40) / (0.90 - 0.40), 1e-12);
}

TEST(SummaryTest, GapClosedIsOfTheMeans) {
  std::vector<RunResult> runs = three_modes();
  runs.push_back(run(Mode::kSourceOnly, 2, {epoch(2, 0.98, 0.50)}));
  runs.push_back(run(Mode::kDann, 2, {epoch(2, 0.98, 0.60)}));
  const Summary summary = summarize(runs);
  EXPECT_EQ(summary.modes[0].runs, 2);
  EXPECT_EQ(summary.modes[2].runs, 1);
  EXPECT_NEAR(*summary.gap_closed, (0.65 - 0.45) / (0.90 - 0.45), 1e-12);
}

TEST(SummaryTest, NoGapWithoutAllModesOrWithoutDifference) {
  std::vector<RunResult> runs = three_modes();
  runs.pop_back();
  EXPECT_FALSE(summarize(runs).gap_closed);
  runs.push_back(run(Mode::kTargetOnly, 1, {epoch(2, 0.6, 0.40)}));
  EXPECT_FALSE(summarize(runs).gap_closed);
  EXPECT_FALSE(summarize({}).gap_closed);
}

TEST(SummaryTest, LeavesOutRunsThatASignalCutShort) {
  std::vector<RunResult> runs = three_modes();
  runs[1].completed = false;
  const Summary summary = summarize(runs);
  ASSERT_EQ(summary.modes.size(), 2U);
  EXPECT_EQ(summary.modes[1].mode, Mode::kTargetOnly);
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
  const std::string text = table(
      {run(Mode::kDann, 1, {epoch(1, 0.97, 0.70)}), run(Mode::kDann, 2, {epoch(1, 0.99, 0.74)})},
      {"a", "b", false, {{Mode::kDann}, 2}});
  const std::string dann = line_with(text, "DANN");
  EXPECT_THAT(dann, HasSubstr("98.00 ± 1.41 %"));
  EXPECT_THAT(dann, HasSubstr("72.00 ± 2.83 %"));
  EXPECT_TRUE(dann.ends_with(" -")) << "no gap is closed without the other rows: " << dann;
  EXPECT_THAT(text, HasSubstr("over 2 seeds"));
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
  const Summary summary = summarize({unmeasured(run(Mode::kDann, 1, {epoch(1, 0.9, 0.5)}))});
  ASSERT_EQ(summary.modes.size(), 1U);
  EXPECT_NEAR(summary.modes[0].source_test_accuracy.mean, 0.9, 1e-15);
  EXPECT_FALSE(summary.modes[0].target_test_accuracy);
  EXPECT_FALSE(summary.modes[0].oracle_target_test_accuracy);
  EXPECT_FALSE(summary.gap_closed);
}

TEST(TableTest, ATargetWithoutLabelsHasADash) {
  const std::string text = table({unmeasured(run(Mode::kDann, 1, {epoch(1, 0.9, 0.5)}))},
                                 {"a", "b", false, {{Mode::kDann}, 1}});
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
  runs.push_back(run(Mode::kSourceOnly, 2, {epoch(2, 0.98, 0.50)}));
  runs.push_back(failed(run(Mode::kDann, 2, {})));
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
  runs.push_back(run(Mode::kTargetOnly, 2, {}));
  runs.back().completed = false;
  const std::string text = table(runs, {"a", "b", false, all_modes()});
  EXPECT_EQ(line_with(text, "train-on-target"), "");
  EXPECT_THAT(text, HasSubstr("target-only seed 1 after 200 steps; target test 90.00 %"));
  EXPECT_THAT(text, HasSubstr("target-only seed 2 after 7 steps\n"));
  EXPECT_THAT(table({runs.back()}, {"a", "b", false, all_modes()}),
              HasSubstr("no run was completed"));
}

ReportContext context() {
  ReportContext context;
  context.plan = all_modes();
  context.version = "1.2.3";
  context.device = "a processor";
  context.device_reason = "asked for";
  context.precision = "f32";
  context.preset = "paper";
  context.threads = 2;
  context.config = {{"gamma", 10.0}};
  context.wall = {.seconds = 10.0, .steps = 8.0, .evaluation = 1.0, .data = 0.5};
  context.data = {{"source", {{"sha256", "ab"}}}, {"target", {{"sha256", "cd"}}}};
  return context;
}

TEST(WallTimeTest, SharesOfNothingAreZero) {
  EXPECT_EQ(text_of(WallTime{}), "0.0 s: 0.0 % steps, 0.0 % evaluation, 0.0 % data, 0.0 % other");
  EXPECT_EQ(text_of(WallTime{.seconds = 20.0, .steps = 15.0, .evaluation = 3.0, .data = 1.5}),
            "20.0 s: 75.0 % steps, 15.0 % evaluation, 7.5 % data, 2.5 % other");
}

TEST(JsonReportTest, HoldsWhatTheRunsMeasured) {
  const Json json = Json::parse(report(context(), three_modes()).dump());
  EXPECT_EQ(json["version"], "1.2.3");
  EXPECT_EQ(json["device"], "a processor");
  EXPECT_EQ(json["precision"], "f32");
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["preset"], "paper");
  EXPECT_EQ(json["config"]["gamma"], 10.0);
  EXPECT_EQ(json["data"]["target"]["sha256"], "cd");
  ASSERT_EQ(json["runs"].size(), 3U);
  const Json& dann = json["runs"][1];
  EXPECT_EQ(dann["mode"], "dann");
  EXPECT_EQ(dann["seed"], 1);
  EXPECT_EQ(dann["steps"], 200);
  EXPECT_EQ(dann["seconds"], 4.0);
  EXPECT_EQ(dann["evaluation_seconds"], 0.5);
  EXPECT_EQ(dann["images_per_second"], 1600.0);
  EXPECT_EQ(dann["seconds_per_source_epoch"], 1.0);
  EXPECT_EQ(dann["wall"], Json::parse(R"({"seconds": 5.0, "steps": 0.8, "evaluation": 0.1,
                                          "data": 0.05, "other": 0.05})"));
  EXPECT_EQ(json["wall"], Json::parse(R"({"seconds": 10.0, "steps": 0.8, "evaluation": 0.1,
                                          "data": 0.05, "other": 0.05})"));
  EXPECT_EQ(dann["final_label_loss"], 0.125);
  EXPECT_EQ(dann["final_domain_loss"], 0.69);
  EXPECT_EQ(dann["domain_accuracy"], 0.5);
  EXPECT_EQ(dann["source_test_accuracy"], 0.97);
  EXPECT_EQ(dann["target_test_accuracy"], 0.70);
  EXPECT_EQ(dann["oracle_target_test_accuracy"], 0.75);
  ASSERT_EQ(dann["history"].size(), 2U);
  EXPECT_EQ(dann["history"][0]["epoch"], 1);
  EXPECT_EQ(dann["history"][0]["steps"], 100);
  EXPECT_EQ(dann["history"][0]["label_loss"], 0.25);
  EXPECT_EQ(dann["history"][0]["lambda"], 0.9);
  EXPECT_EQ(dann["history"][0]["learning_rate"], 0.01);
  EXPECT_EQ(dann["history"][0]["target_test_accuracy"], 0.75);
  EXPECT_EQ(dann["history"][1]["seconds"], 4.0);
}

TEST(JsonReportTest, WhatDoesNotApplyIsNull) {
  const Json json = report(context(), three_modes());
  const Json& source_only = json["runs"][0];
  EXPECT_TRUE(source_only["final_domain_loss"].is_null());
  EXPECT_TRUE(source_only["domain_accuracy"].is_null());
  EXPECT_TRUE(source_only["history"][0]["lambda"].is_null());
  EXPECT_TRUE(json["summary"]["dann"]["target_test_accuracy"]["std"].is_null());

  const Json empty = report(context(), {run(Mode::kDann, 1, {})});
  EXPECT_TRUE(empty["runs"][0]["target_test_accuracy"].is_null());
  EXPECT_TRUE(empty["runs"][0]["oracle_target_test_accuracy"].is_null());
  EXPECT_TRUE(empty["summary"]["gap_closed"].is_null());
  EXPECT_FALSE(empty["summary"].contains("dann"));
}

TEST(JsonReportTest, AFailedRunHasItsErrorAndNoAccuracies) {
  const RunResult dann = failed(three_modes()[1]);
  ReportContext with_code = context();
  with_code.exit_code = 7;
  const Json json = report(with_code, {three_modes()[0], dann});
  EXPECT_EQ(json["exit_code"], 7);
  EXPECT_FALSE(json.contains("error")) << "it is the run's";
  const Json& row = json["runs"][1];
  EXPECT_EQ(row["mode"], "dann");
  EXPECT_EQ(row["seed"], 1);
  EXPECT_EQ(row["completed"], false);
  EXPECT_EQ(row["error"], Json::parse(R"({"code": 7, "message": "training diverged at step 7"})"));
  EXPECT_EQ(row["history"][0]["label_loss"], 0.25);
  const std::string text = row.dump();
  EXPECT_THAT(text, Not(HasSubstr("source_test_accuracy")));
  EXPECT_THAT(text, Not(HasSubstr("target_test_accuracy")));
  EXPECT_FALSE(json["summary"].contains("dann"));
  EXPECT_EQ(json["runs"][0]["completed"], true);
  EXPECT_EQ(json["summary"]["source-only"]["planned"], 1);
}

TEST(JsonReportTest, ARunThatWasNotSavedKeepsItsFigures) {
  std::vector<RunResult> runs = three_modes();
  runs[1].save_error = RunError{6, "cannot write x"};
  const Json row = report(context(), runs)["runs"][1];
  EXPECT_EQ(row["save_error"]["code"], 6);
  EXPECT_EQ(row["target_test_accuracy"], 0.70);
  EXPECT_EQ(row["completed"], true);
}

TEST(JsonReportTest, OfATargetWithoutLabelsHoldsNoTargetAccuracy) {
  const Json json = report(context(), {unmeasured(run(Mode::kDann, 1, {epoch(1, 0.9, 0.5)})),
                                       unmeasured(run(Mode::kDann, 2, {}))});
  EXPECT_EQ(json["runs"][0]["source_test_accuracy"], 0.9);
  EXPECT_THAT(json.dump(), Not(HasSubstr("target_test_accuracy")));
}

TEST(JsonReportTest, BeforeAnythingIsKnownMostIsNull) {
  ReportContext early;
  early.exit_code = 3;
  early.error = RunError{3, "no such folder"};
  const Json json = Json::parse(text_of(report(early, {})));
  EXPECT_TRUE(json["device"].is_null());
  EXPECT_TRUE(json["data"].is_null());
  EXPECT_EQ(json["runs"], Json::array());
  EXPECT_EQ(json["error"]["message"], "no such folder");
}

TEST(JsonReportTest, BytesThatAreNoTextAreReplaced) {
  ReportContext strange = context();
  strange.data["source"]["name"] =
      "donn\xe9"
      "es";
  strange.notes = {"\xff"};
  const std::string text = text_of(report(strange, three_modes()));
  const Json json = Json::parse(text);
  EXPECT_EQ(json["data"]["source"]["name"],
            "donn\xef\xbf\xbd"
            "es");
  EXPECT_EQ(json["notes"], Json::parse(R"(["\ufffd"])"));
  EXPECT_EQ(text.back(), '\n');
}

TEST(JsonReportTest, SummarisesOverSeeds) {
  std::vector<RunResult> runs = three_modes();
  runs.push_back(run(Mode::kDann, 2, {epoch(2, 0.97, 0.80)}));
  const Json summary = report(context(), runs)["summary"];
  EXPECT_NEAR(summary["dann"]["target_test_accuracy"]["mean"].get<double>(), 0.75, 1e-12);
  EXPECT_NEAR(summary["dann"]["target_test_accuracy"]["std"].get<double>(), 0.1 / std::sqrt(2.0),
              1e-12);
  EXPECT_EQ(summary["dann"]["runs"], 2);
  EXPECT_NEAR(summary["source-only"]["target_test_accuracy"]["mean"].get<double>(), 0.40, 1e-12);
  EXPECT_NEAR(summary["gap_closed"].get<double>(), 0.7, 1e-12);
}

TEST(JsonReportTest, IsValidJsonEvenWithNonFiniteNumbers) {
  std::vector<RunResult> runs = three_modes();
  runs[0].history.back().label_loss = std::numeric_limits<double>::quiet_NaN();
  const Json json = Json::parse(report(context(), runs).dump());
  EXPECT_TRUE(json["runs"][0]["final_label_loss"].is_null());
}

}  // namespace
}  // namespace gradflip
