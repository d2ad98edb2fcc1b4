#include "apps/dann_mnist/chance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apps/common/report/paper_rows.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;

// `each` pictures of every one of `classes` classes; only the labels count.
LabelledImages set_of(int classes, int each) {
  LabelledImages data;
  for (int n = 0; n < classes * each; ++n) {
    data.labels.push_back(static_cast<std::int32_t>(n % classes));
  }
  return data;
}

RunResult run_with(double label_loss, double source, double target,
                   const std::string& mode = kDann) {
  RunResult run;
  run.mode = mode;
  run.completed = true;
  EpochResult epoch;
  epoch.reported = {{"label_loss", label_loss}};
  epoch.source_test_accuracy = source;
  epoch.target_test_accuracy = target;
  run.history = {epoch};
  return run;
}

std::string said(const RunResult& run, const LabelledImages& learned, double smoothing = 0.0) {
  return chance_note(run, learned, &learned, smoothing).value_or("");
}

TEST(ChanceNoteTest, ALossOfGuessingIsChance) {
  const LabelledImages ten = set_of(10, 100), five = set_of(5, 100);
  EXPECT_THAT(said(run_with(std::log(10.0), 0.5, 0.5), ten), HasSubstr("label loss is 2.303"));
  EXPECT_THAT(said(run_with(2.34, 0.5, 0.5), ten), HasSubstr("at chance"));
  EXPECT_EQ(said(run_with(2.2, 0.5, 0.5), ten), "");
  EXPECT_THAT(said(run_with(1.61, 0.5, 0.5), five), HasSubstr("guessing gives 1.609"));
  EXPECT_EQ(said(run_with(1.5, 0.5, 0.5), five), "");
}

// Training on is no remedy where features are dead.
TEST(ChanceNoteTest, ACollapseIsToldFromNeverHavingLearned) {
  RunResult run = run_with(2.301, 0.1, 0.1);
  const EpochResult last = run.history.back();
  for (const double loss : {0.41, 0.08, 1.99}) {
    run.history.insert(run.history.end() - 1, last);
    run.history[run.history.size() - 2].reported[0].value = loss;
  }
  EXPECT_EQ(
      said(run, set_of(10, 100)),
      "dann seed 0 ends at chance: it collapsed after epoch 2; its label loss was 0.080 there "
      "and is 2.301, and guessing gives 2.303; try another --seed, or a lower --learning-rate");
  run.history.erase(run.history.begin(), run.history.begin() + 2);
  EXPECT_THAT(said(run, set_of(10, 100)), HasSubstr("train for longer"));
}

// Of a method whose last epochs report no label loss.
TEST(ChanceNoteTest, ACollapseIsToldByAccuracyToo) {
  RunResult run = run_with(0.0, 0.1, 0.1, "adda");
  run.history[0].reported = {{"mapping_loss", 0.5}};
  const EpochResult last = run.history.back();
  EXPECT_THAT(said(run, set_of(10, 100)), HasSubstr("train for longer"));
  run.history.insert(run.history.begin(), last);
  run.history[0].source_test_accuracy = 0.98;
  EXPECT_EQ(said(run, set_of(10, 100)),
            "adda seed 0 ends at chance: it collapsed after epoch 1, with 98.00 %; its source test "
            "accuracy is 10.00 %, and always naming the most frequent class gives 10.00 %; try "
            "another --seed, or a lower --learning-rate or --adda-learning-rate");
}

// With smoothing even a network that is always right has a loss; guessing's is that of even shares.
TEST(ChanceNoteTest, TheLossOfGuessingKnowsLabelSmoothing) {
  LabelledImages skewed = set_of(10, 1);
  skewed.labels.resize(1000, 3);
  EXPECT_THAT(said(run_with(0.5, 0.999, 0.5), skewed), HasSubstr("label loss"));
  EXPECT_EQ(said(run_with(0.5, 0.999, 0.5), skewed, 0.1), "");
}

TEST(ChanceNoteTest, TheShareOfTheLargestClassIsChance) {
  const LabelledImages ten = set_of(10, 100);
  EXPECT_THAT(said(run_with(0.5, 0.1, 0.9), ten), HasSubstr("source test accuracy is 10.00 %"));
  EXPECT_THAT(said(run_with(0.5, 0.115, 0.9), ten), HasSubstr("gives 10.00 %"));
  EXPECT_EQ(said(run_with(0.5, 0.15, 0.1), ten), "") << "the target has no say";
  EXPECT_THAT(said(run_with(0.5, 0.9, 0.1, kTargetOnly), ten), HasSubstr("target test"));
  EXPECT_EQ(said(run_with(0.5, 0.1, 0.9, kTargetOnly), ten), "");
}

TEST(ChanceNoteTest, WithoutALabelLossTheAccuracyIsLeft) {
  const LabelledImages ten = set_of(10, 100);
  RunResult run = run_with(2.4, 0.5, 0.5);
  run.history[0].reported = {{"critic_score", 2.4}};
  EXPECT_EQ(said(run, ten), "");
  run.history[0].source_test_accuracy = 0.1;
  EXPECT_THAT(said(run, ten), HasSubstr("source test accuracy is 10.00 %"));
}

// However 1 / count rounds.
TEST(ChanceNoteTest, OneClassLeavesNothingToGuess) {
  for (const int count : {1, 3, 10, 96, 7000, 10000, 60000}) {
    EXPECT_EQ(said(run_with(0.0, 1.0, 1.0), set_of(1, count)), "") << count;
  }
}

// However well it does on them, nothing is known of a network that has seen so few.
TEST(ChanceNoteTest, ATestThatNobodyCanPassSaysNothing) {
  const LabelledImages ten = set_of(10, 100);
  for (const LabelledImages& test : {set_of(1, 1), set_of(1, 500), set_of(2, 2)}) {
    for (const double accuracy : {0.0, 0.5, 1.0}) {
      EXPECT_FALSE(chance_note(run_with(0.5, accuracy, 0.5), ten, &test, 0.0));
    }
  }
  const LabelledImages enough = set_of(2, 20);
  EXPECT_TRUE(chance_note(run_with(0.5, 0.5, 0.5), ten, &enough, 0.0));
  EXPECT_FALSE(chance_note(run_with(0.5, 1.0, 0.5), ten, &enough, 0.0));
}

TEST(ChanceNoteTest, NothingIsSaidOfWhatWasNotMeasured) {
  const LabelledImages ten = set_of(10, 100);
  RunResult stopped = run_with(2.4, 0.1, 0.1);
  stopped.completed = false;
  EXPECT_EQ(said(stopped, ten), "");
  EXPECT_FALSE(chance_note(run_with(0.5, 0.1, 0.1), ten, nullptr, 0.0));
}

}  // namespace
}  // namespace gradflip
