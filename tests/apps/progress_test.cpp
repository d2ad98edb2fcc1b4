#include "apps/common/run/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <sstream>
#include <string>

#include "tests/apps/report_cases.h"

namespace gradflip {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

ProgressState dann_state() {
  ProgressState state;
  state.run = "dann seed 1";
  state.epoch = 3;
  state.epochs = 20;
  state.step = 812;
  state.steps = 18740;
  state.reported = {{"label_loss", 0.4123},
                    {"domain_loss", 0.6881},
                    {"domain_accuracy", 0.531},
                    {"lambda", 0.712, true},
                    {"learning_rate", 7.1e-3, true}};
  state.images_per_second = 19423.0;
  state.seconds_left = 3725.0;
  state.source_test_accuracy = 0.981;
  state.target_test_accuracy = 0.5432;
  return state;
}

// What a terminal shows: the text between carriage return and the erase sequence.
std::string last_drawn(const std::string& output) {
  const auto begin = output.rfind('\r');
  return output.substr(begin + 1, output.rfind("\x1b[K") - begin - 1);
}

TEST(ProgressLineTest, ShowsEverythingWhereItFits) {
  EXPECT_EQ(progress_line(dann_state(), 200),
            "dann seed 1  epoch 3/20  source test 98.1 %  target test 54.3 %  step 812/18740  "
            "label 0.412  domain 0.688  domain acc 0.53  lambda 0.71  lr 7.1e-03  19.4k img/s  "
            "ETA 1:02:05");
}

TEST(ProgressLineTest, NeverExceedsTheWidth) {
  for (int width = 0; width <= 200; ++width) {
    EXPECT_LE(progress_line(dann_state(), width).size(), static_cast<std::size_t>(width));
  }
  EXPECT_EQ(progress_line(dann_state(), -1), "");
}

TEST(ProgressLineTest, DropsWhatMattersLeastFirst) {
  int width = 200;
  for (const char* part : {"lr 7.1e-03", "lambda 0.71", "step 812/18740", "19.4k img/s",
                           "source test 98.1 %", "domain acc 0.53", "domain 0.688", "label 0.412",
                           "ETA 1:02:05", "target test 54.3 %", "epoch 3/20"}) {
    while (width > 0 && progress_line(dann_state(), width).find(part) != std::string::npos) --width;
    std::string before = progress_line(dann_state(), width + 1);
    before.erase(before.find(part) - 2, 2 + std::string(part).size());
    EXPECT_EQ(progress_line(dann_state(), width), before);
  }
  EXPECT_EQ(progress_line(dann_state(), width), "dann seed 1");
}

TEST(ProgressLineTest, ShowsWhatAMethodReportsAndNothingElse) {
  ProgressState state = dann_state();
  state.reported = reported_by_another_method();
  EXPECT_EQ(progress_line(state, 200),
            "dann seed 1  epoch 3/20  source test 98.1 %  target test 54.3 %  step 812/18740  "
            "label 0.125  critic score 12.5  temperature 0.0625  teacher acc 0.75  19.4k img/s  "
            "ETA 1:02:05");
  // A schedule, which says little of a run, goes first.
  EXPECT_THAT(progress_line(state, 160), Not(HasSubstr("temperature")));
  state.reported.clear();
  EXPECT_THAT(progress_line(state, 200), HasSubstr("step 812/18740  19.4k img/s"));
}

TEST(ProgressLineTest, AnAccuracyIsShownOnceItIsMeasured) {
  ProgressState state = dann_state();
  state.target_test_accuracy.reset();
  EXPECT_THAT(progress_line(state, 200), Not(HasSubstr("target test")));
  state.source_test_accuracy.reset();
  EXPECT_THAT(progress_line(state, 200), Not(HasSubstr("%")));
}

TEST(ProgressLineTest, AnUnknownRestHasNoTime) {
  ProgressState state = dann_state();
  for (const double seconds :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), -1.0}) {
    state.seconds_left = seconds;
    EXPECT_THAT(progress_line(state, 200), HasSubstr("ETA -:--:--"));
  }
}

TEST(ProgressTest, DrawsAtMostTenTimesASecond) {
  std::ostringstream out;
  Progress progress(out, [] { return 80; });
  const auto start = Progress::Clock::now();
  for (int ms = 0; ms < 1000; ++ms) progress.update(dann_state(), start + milliseconds(ms));
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 10);
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(ProgressTest, FollowsTheWidthOfTheTerminal) {
  std::ostringstream out;
  int width = 120;
  Progress progress(out, [&] { return width; });
  const auto start = Progress::Clock::now();
  for (const int wanted : {120, 40, 12}) {
    width = wanted;
    progress.update(dann_state(), start + milliseconds(200 * (121 - wanted)));
    EXPECT_LT(last_drawn(out.str()).size(), static_cast<std::size_t>(wanted));
  }
}

TEST(ProgressTest, EndsAnOpenLineOnce) {
  std::ostringstream out;
  {
    Progress progress(out, [] { return 80; });
    progress.update(dann_state());
    progress.finish_line();
  }
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(ProgressTest, ALiveTerminalShowsAnAccuracyAtOnceAndNoPlainLine) {
  std::ostringstream out;
  Progress progress(out, [] { return 100; });
  ProgressState state = dann_state();
  state.target_test_accuracy.reset();
  progress.update(state);
  progress.epoch_done(dann_state(), {});
  EXPECT_THAT(last_drawn(out.str()), HasSubstr("target test 54.3 %"));
  EXPECT_THAT(out.str(), Not(HasSubstr("\n")));
}

TEST(ProgressTest, TheEndOfARunSaysItsSpeedAndWhereItsTimeWent) {
  RunResult result;
  result.steps = 400;
  result.steps_per_epoch = 100;
  result.images_per_second = 19423.0;
  result.seconds = 8.0;
  result.evaluation_seconds = 1.0;
  result.data_seconds = 0.5;
  result.wall_seconds = 10.0;
  std::ostringstream out;
  Progress progress(out, [] { return 80; });
  progress.update(dann_state());
  progress.run_done(dann_state(), result);
  EXPECT_THAT(out.str(), ::testing::EndsWith(
                             "\ndann seed 1  19.4k img/s  2.00 s a source epoch  10.0 s: 80.0 % "
                             "steps, 10.0 % evaluation, 5.0 % data, 5.0 % other\n"));
}

TEST(ProgressTest, WithoutATerminalThereIsOnePlainLinePerEpoch) {
  std::ostringstream out;
  {
    Progress progress(out, {});
    EpochResult epoch;
    epoch.epoch = 3;
    epoch.steps = 2811;
    epoch.reported = dann_state().reported;
    epoch.source_test_accuracy = 0.98;
    epoch.target_test_accuracy = 0.7123;
    for (int i = 0; i < 50; ++i) progress.update(dann_state());
    progress.epoch_done(dann_state(), epoch);
  }
  EXPECT_EQ(out.str(),
            "dann seed 1  epoch 3/20  step 2811/18740  label 0.4123  domain 0.6881  "
            "domain acc 0.531  lambda 0.712  lr 7.10e-03  source test 98.00 %  "
            "target test 71.23 %  19.4k img/s  ETA 1:02:05\n");
}

TEST(ProgressTest, AnEpochsLineShowsWhatAMethodReports) {
  EpochResult epoch;
  epoch.reported = reported_by_another_method();
  EXPECT_THAT(epoch_line(dann_state(), epoch),
              HasSubstr("  label 0.1250  critic score 12.5  temperature 0.0625  "
                        "teacher acc 0.750  source test 0.00 %"));
}

TEST(ProgressTest, ALineSaysWhatWasMeasuredAndNoMore) {
  std::ostringstream out;
  Progress progress(out, {});
  progress.epoch_done(dann_state(), {});
  EXPECT_THAT(out.str(), HasSubstr("source test"));
  EXPECT_THAT(out.str(), Not(HasSubstr("target test")));
}

TEST(ProgressTest, WhatItSaysIsOneLine) {
  std::ostringstream out;
  Progress progress(out, {});
  progress.say("note: a\nb\x1b[2Jc\r: skipped");
  EXPECT_EQ(out.str(), "note: a\\x0ab\\x1b[2Jc\\x0d: skipped\n");
}

TEST(ProgressTest, SaysALineBelowTheLiveOne) {
  std::ostringstream out;
  Progress progress(out, [] { return 80; });
  progress.update(dann_state());
  progress.say("note: x");
  EXPECT_THAT(out.str(), ::testing::EndsWith("\nnote: x\n"));
}

}  // namespace
}  // namespace gradflip
