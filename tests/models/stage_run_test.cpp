// Methods of the test's own: what stages, banks, repeated updates and several updates of a step do.
#include "models/stage_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "models/methods/label_loss.h"
#include "runtime/errors.h"
#include "tests/support/points_test.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

template <typename Ctx>
class StageRunTest : public PointsTest<Ctx> {};
TYPED_TEST_SUITE(StageRunTest, Backends, BackendNames);

// A step that is done twice is two updates on the same samples, and counts as one.
TYPED_TEST(StageRunTest, ARepeatedUpdateIsOneStep) {
  this->recipe_.training.momentum = 0.0;  // each update's own
  const auto learn_unseen = [](Step& step) {
    const Value features = step.feature_extractor(step.samples(kSourceRows));
    step.minimise({label_loss(step, step.label_predictor(features)).term});
  };
  const Method in_two =
      method_of_stages({{.updates = {{"first", learn_unseen}, {"second", learn_labels}}}});
  const Method twice = method_of_stages({{.updates = {{"labels", learn_labels, 2}}}});
  const auto one = this->trainer(in_two, 9), two = this->trainer(twice, 9);
  for (int step = 0; step < 9; ++step) {
    SCOPED_TRACE(step);
    EXPECT_EQ(two->run(1).steps, 1);
    one->run(1);
    EXPECT_EQ(one->weights(), two->weights());
    // The last repetition's, behind the first one's update.
    EXPECT_EQ(two->epoch_report(), one->epoch_report());
  }
  EXPECT_EQ(two->images_done(), 9 * 12);
  EXPECT_EQ(two->run(1).steps, 0);
  const auto at_once = this->trainer(twice, 9);
  EXPECT_EQ(at_once->run(100).steps, 9);
  EXPECT_EQ(at_once->weights(), two->weights());
}

// With samples of its own an update that is done four times learns as that of four steps does; and
// nothing but how often it ran tells which samples are next.
TYPED_TEST(StageRunTest, RepetitionsCanHaveSamplesOfTheirOwn) {
  const auto labels = [](int times, bool own_samples) {
    return method_of_stages({{.updates = {{"labels", learn_labels, times, own_samples}}}});
  };
  const auto four = this->trainer(labels(4, true), 3), one = this->trainer(labels(1, true), 12);
  four->run(1);
  for (int step = 1; step < 3; ++step) EXPECT_EQ(four->run(1).steps, 1);
  one->run(12);
  EXPECT_EQ(four->weights(), one->weights());
  EXPECT_EQ(four->images_done(), one->images_done());

  const auto at_once = this->trainer(labels(4, true), 3);
  at_once->run(3);
  EXPECT_EQ(at_once->weights(), four->weights());
  const auto shared = this->trainer(labels(4, false), 3),
             of_steps = this->trainer(labels(1, false), 12);
  shared->run(3);
  of_steps->run(12);
  EXPECT_NE(four->weights(), shared->weights());
  EXPECT_NE(four->weights(), of_steps->weights());  // the order is the update's own

  this->recipe_.training.learning_rate = 1e-20;  // only the samples tell one loss from the next
  const auto still = this->trainer(labels(1, true), 2);
  still->run(1);
  const double first = still->epoch_report().find("label_loss").value();
  still->run(1);
  EXPECT_NE(still->epoch_report().find("label_loss").value(), first);
}

// The second stage keeps what the first one learned as a bank, and goes on.
TYPED_TEST(StageRunTest, ABankKeepsWhatTheStageBeforeLearned) {
  const Method method =
      method_of_stages({{.updates = {{"first", learn_labels}}, .share = 1.0},
                        {.updates = {{"second", learn_labels}, {"watch", watch_bank}},
                         .share = 3.0,
                         .copies = {{.from = 0, .to = 1}}}},
                       2);
  const auto run = this->trainer(method, 16);  // four steps are an epoch, and the first stage
  EXPECT_THAT(run->report_columns(),
              ElementsAre(ReportColumn{"label_loss"}, ReportColumn{"kept_loss"}));
  const std::vector<float> start = run->weights();
  EXPECT_EQ(run->weights(1), start);
  const StepReport first = run->run(100);
  EXPECT_EQ(first.steps, 4);  // as far as the stage goes
  EXPECT_FALSE(first.find("kept_loss"));
  const std::vector<float> learned = run->weights();
  EXPECT_NE(learned, start);
  EXPECT_EQ(run->weights(1), start);
  std::vector<double> kept;
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (int step = 0; step < 4; ++step) run->run(1);
    kept.push_back(run->epoch_report().find("kept_loss").value());
    EXPECT_EQ(run->weights(1), learned);
    EXPECT_NE(run->weights(), learned);
  }
  EXPECT_EQ(run->steps_done(), 16);
  EXPECT_NEAR(kept[1], kept[0], 1e-6);  // each of an epoch, of all points, with the same weights
  EXPECT_NEAR(kept[2], kept[0], 1e-6);
  EXPECT_LT(run->epoch_report().find("label_loss").value(), kept[0]);
}

// Of each column the steps that told it, on both sides of the border.
TYPED_TEST(StageRunTest, AnEpochGoesOnOverTheBorderOfAStage) {
  const Method method = method_of_stages(
      {{.updates = {{"first", learn_labels}}, .share = 1.0},
       {.updates = {{"watch", watch_bank}}, .share = 3.0, .copies = {{.from = 0, .to = 1}}}},
      2);
  const auto run = this->trainer(method, 8);  // two epochs of four steps; a stage of two
  const StepReport first = run->run(2);
  EXPECT_EQ(run->run(0).steps, 0);  // which begins nothing
  EXPECT_EQ(run->epoch_report(), first);
  run->run(2);
  const StepReport& epoch = run->epoch_report();
  EXPECT_EQ(epoch.steps, 4);
  EXPECT_EQ(epoch.find("label_loss"), first.find("label_loss"));
  EXPECT_TRUE(epoch.find("kept_loss").has_value());
  run->run(4);
  EXPECT_FALSE(run->epoch_report().find("label_loss"));
}

// Weights that are given ahead of a stage's first step are those that its banks copy.
TYPED_TEST(StageRunTest, BanksAreCopiedWithTheStagesFirstStep) {
  const Method method =
      method_of_stages({{.updates = {{"watch", watch_bank}, {"learn", learn_labels}},
                         .copies = {{.from = 0, .to = 1}}}},
                       2);
  const auto run = this->trainer(method, 4);
  std::vector<NamedTensor> given = run->parameters();
  for (NamedTensor& tensor : given) {
    std::fill(tensor.values.begin(), tensor.values.end(), 0.25F);
  }
  run->set_parameters(given);
  const std::vector<float> weights = run->weights();
  EXPECT_NE(run->weights(1), weights);
  run->run(1);
  EXPECT_EQ(run->weights(1), weights);
}

// What a second update does is not undone, or done again, by the first one's optimizer.
TYPED_TEST(StageRunTest, UpdatesOfAStepChangeTheirOwnParts) {
  const auto learn = [](const ParameterGroup& over) {
    return [over](Step& step) {
      const Value features = step.feature_extractor(step.samples(kSourceRows));
      const LabelLoss labels = label_loss(step, step.label_predictor(features));
      step.minimise({labels.term}, over);
    };
  };
  const auto part_of = [](const Trainer& trainer, const std::string& part) {
    std::vector<float> values;
    for (const NamedTensor& tensor : trainer.parameters()) {
      if (!tensor.name.starts_with(part)) continue;
      values.insert(values.end(), tensor.values.begin(), tensor.values.end());
    }
    return values;
  };
  const Method both = method_of_stages({{.updates = {{"features", learn({"feature_extractor"})},
                                                     {"labels", learn({"label_predictor"})}}}});
  const Method features = method_of_stages({{.updates = {{"f", learn({"feature_extractor"})}}}});
  const auto one = this->trainer(both, 6), other = this->trainer(features, 6);
  const std::vector<float> start = part_of(*one, "label_predictor");
  one->run(1);
  other->run(1);
  EXPECT_EQ(part_of(*one, "feature_extractor"), part_of(*other, "feature_extractor"));
  EXPECT_NE(part_of(*one, "label_predictor"), start);
  // With momentum at work, of an update that does not own them.
  for (int step = 1; step < 4; ++step) other->run(1);
  EXPECT_EQ(part_of(*other, "label_predictor"), start);
}

TYPED_TEST(StageRunTest, ABankFollowsTheWeights) {
  const auto following = [](float factor) {
    return method_of_stages({{.updates = {{"a",
                                           [factor](Step& step) {
                                             learn_labels(step);
                                             step.average({.bank = 1, .factor = factor});
                                           }}}}},
                            2);
  };
  const auto at_once = this->trainer(following(0.0F), 8), never = this->trainer(following(1.0F), 8);
  const std::vector<float> start = never->weights(1);
  for (int step = 0; step < 3; ++step) {
    at_once->run(1);
    never->run(1);
    EXPECT_EQ(at_once->weights(1), at_once->weights());
    EXPECT_EQ(never->weights(1), start);
    EXPECT_NE(never->weights(), start);
  }
}

// The first update of a step has been made when the second one fails.
TYPED_TEST(StageRunTest, ADivergenceNamesItsUpdateAndWhatWasAtWork) {
  this->recipe_.training.learning_rate = 1e30;
  const Method method = method_of_stages(
      {{.updates = {{"first", learn_labels}, {"second", [](Step& step) {
                                                const Value x = step.samples(kSourceRows);
                                                const Value logits =
                                                    step.label_predictor(step.feature_extractor(x));
                                                step.minimise({label_loss(step, logits).term});
                                              }}}}});
  const auto run = this->trainer(method, 4);
  EXPECT_THAT([&] { run->run(4); },
              ThrowsMessage<DivergedError>(
                  AllOf(HasSubstr("at step 0: the label loss in the update second is not finite"),
                        HasSubstr("try a smaller --learning-rate"))));
}

TEST(StageEndsTest, SharesAreRoundedAndTheLastStageEndsTheRun) {
  const auto ends = [](std::vector<double> shares, std::int64_t steps) {
    std::vector<Stage> stages;
    for (const double share : shares) {
      stages.push_back({.updates = {{"labels", learn_labels}}, .share = share});
    }
    return stage_ends(stages, steps);
  };
  EXPECT_THAT(ends({1}, 7), ElementsAre(7));
  EXPECT_THAT(ends({1, 1}, 7), ElementsAre(4, 7));
  EXPECT_THAT(ends({1, 2, 1}, 100), ElementsAre(25, 75, 100));
  EXPECT_THAT(ends({0.98, 0.02}, 20), ElementsAre(19, 20));  // none is left out
  EXPECT_THAT(ends({0.01, 0.98, 0.01}, 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(ends({0.5, 0.0, 0.5}, 2), ElementsAre(1, 1, 2));  // but those without a share
  EXPECT_THAT(ends({0.1, 0.9}, 1), ElementsAre(1, 1));          // as far as steps go
  EXPECT_THAT(ends({0, 1}, 9), ElementsAre(0, 9));
}

}  // namespace
}  // namespace gradflip
