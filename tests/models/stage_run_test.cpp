// Methods of the test's own: what stages, banks, repeated updates and several updates of a step do.
#include "models/stage_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "models/methods/label_loss.h"
#include "models/methods/source_only.h"
#include "models/networks/mlp.h"
#include "models/trainer.h"
#include "runtime/errors.h"
#include "runtime/ops/row_sums.h"
#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::int64_t kStagePoints = 24;

struct StageTestOptions {
  double strength = 0.25;
};

std::vector<OptionField> fields(StageTestOptions& o) {
  return {real_option({"strength", "Test", "of a test"}, o.strength, RealRange::kAtLeastZero,
                      UsedAs::kF32)};
}

void learn_labels(Step& step) {
  const Value features = step.feature_extractor(step.samples(kSourceRows));
  const LabelLoss labels = label_loss(step, step.label_predictor(features));
  step.minimise({labels.term});
  step.report({.name = "label_loss", .value = labels.losses});
}

// The label loss of a bank, of which nothing is trained.
void watch_bank(Step& step) {
  const Value features = step.feature_extractor(step.samples(kSourceRows), 1);
  const LabelLoss labels = label_loss(step, step.label_predictor(features, 1));
  step.report({.name = "kept_loss", .value = labels.losses});
}

Method method_of_stages(std::vector<Stage> stages, int banks = 1) {
  return {.name = "test",
          .summary = "of a test",
          .reads_target = false,
          .banks = banks,
          .stages = [stages](const Recipe&) { return stages; }};
}

template <typename Ctx>
class StageRunTest : public BackendTest<Ctx> {
 protected:
  void SetUp() override {
    BackendTest<Ctx>::SetUp();
    if (this->IsSkipped() || this->HasFatalFailure()) return;
    device_ = select_device(Backend<Ctx>::kName);
    points_ = random_floats(2 * kStagePoints, 1);
    for (std::int64_t i = 0; i < kStagePoints; ++i) {  // by what each point shows
      const float x = points_[static_cast<std::size_t>(2 * i)];
      labels_.push_back(x < -0.3F ? 0 : x < 0.3F ? 1 : 2);
    }
    data_.emplace(device_.context, rows_of(points_, {2}), labels_, 3, "points");
    recipe_.training.source_batch = 6;
    recipe_.training.learning_rate = 0.3;
    recipe_.training.learning_rate_schedule = LearningRateSchedule::kConstant;
  }

  std::unique_ptr<Trainer> trainer(const Method& method, std::int64_t steps) {
    recipe_.training.steps = steps;
    return std::make_unique<Trainer>(method, mlp(row_input(2)), recipe_,
                                     TrainingData{&*data_, nullptr}, 1, device_, 1);
  }

  Device device_;
  Recipe recipe_;
  std::vector<float> points_;
  std::vector<std::int32_t> labels_;
  std::optional<LabelledDeviceData> data_;
};
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

TYPED_TEST(StageRunTest, AMethodThatIsNotWholeIsRefused) {
  const auto refuses = [this](const Method& method, const char* told) {
    EXPECT_THAT([&] { this->trainer(method, 5); },
                ThrowsMessage<std::invalid_argument>(HasSubstr(told)));
  };
  refuses(method_of_stages({}), "it has no stage");
  refuses(method_of_stages({{.updates = {}}}), "stage 1 has no update");
  refuses(method_of_stages({{.updates = {{"labels", learn_labels}}, .share = 0.0}}),
          "no stage has a share");
  refuses(method_of_stages({{.updates = {{"labels", learn_labels}}, .share = -1.0}}),
          "stage 1 has a share of -1");
  refuses(method_of_stages({{.updates = {{"labels", learn_labels, 0}}}}), "labels is done 0 times");
  refuses(method_of_stages({{.updates = {{"a", learn_labels}, {"b", learn_labels}}}}),
          "two columns are called label_loss");
  refuses(
      method_of_stages({{.updates = {{"a", learn_labels}}}, {.updates = {{"a", learn_labels}}}}),
      "two updates are called a");
  refuses(
      method_of_stages({{.updates = {{"a", [](Step& step) { step.samples(segment_rows(2)); }}}}}),
      "a: samples are of the source, the target, or both");
  refuses(method_of_stages({{.updates = {{"a", [](Step& step) { step.samples(kTargetRows); }}}}}),
          "a: there is no target to draw samples of");
  refuses(method_of_stages({{.updates = {{"a",
                                          [](Step& step) {
                                            learn_labels(step);
                                            step.minimise(Objective{});
                                          }}}}}),
          "one update makes one objective small");
  refuses(method_of_stages({{.updates = {{"a", learn_labels}}, .copies = {{.from = 0, .to = 1}}}}),
          "bank");
  refuses(method_of_stages({{.updates = {{"a", nullptr}}}}), "nothing writes the update a");
  refuses(method_of_stages({{.updates = {{"watch", watch_bank}}}}, 2),
          "no update of test makes anything small");
  Method without_stages = method_of_stages({});
  without_stages.stages = nullptr;
  refuses(without_stages, "test has no stages");
}

TYPED_TEST(StageRunTest, WhatAnUpdateMeetsIsToldWithItsName) {
  const auto refuses = [this](const std::function<void(Step&)>& write, const char* told) {
    EXPECT_THAT(
        [&] {
          this->trainer(method_of_stages({{.updates = {{"a", write}}}}), 5);
        },
        ThrowsMessage<std::invalid_argument>(HasSubstr(told)));
  };
  refuses([](Step& step) { ops::sum_features(step.graph(), step.labels()); },
          "a: sum_features: i32 rows{0} x () is not f32");
  refuses([](Step& step) { step.label_predictor(step.samples(kSourceRows), -1); },
          "a: there is no bank -1");
  refuses([](Step& step) { step.options<StageTestOptions>(); },
          "a: recipe: it has no options of this type");
  refuses([](Step& step) { step.schedule({.kind = Schedule::Kind::kSigmoidRamp, .start = 1.0}); },
          "a: a ramp needs a gamma above 0, not 0");
  refuses(
      [](Step& step) {
        learn_labels(step);
        step.report({.name = "share", .value = step.learning_rate(), .per = kTargetRows});
      },
      "a: the report share is per sample of a domain of which none is drawn");
  refuses(
      [](Step& step) {
        learn_labels(step);
        step.average({.bank = 1});
      },
      "a averages into bank 1, and there are 1");
  refuses(
      [](Step& step) {
        const Value logits =
            step.label_predictor(step.feature_extractor(step.samples(kSourceRows)));
        step.minimise({{.name = "", .loss = label_loss(step, logits).term.loss}});
      },
      "a: a term has no name");
  refuses(
      [](Step& step) {
        Graph& graph = step.graph();
        const Value features = step.feature_extractor(step.samples(kSourceRows));
        step.minimise({{"size", ops::mean_rows(graph, ops::sum_features(graph, features))}});
      },
      "no update applies all that predicts labels");
}

TYPED_TEST(StageRunTest, ANetworkThatDoesNotKeepItsWordIsRefused) {
  const auto refuses = [this](const Network& network, const char* told) {
    this->recipe_.training.steps = 5;
    EXPECT_THAT(
        [&] {
          Trainer(method_of_stages({{.updates = {{"a", learn_labels}}}}), network, this->recipe_,
                  TrainingData{&*this->data_, nullptr}, 1, this->device_, 1);
        },
        ThrowsMessage<std::invalid_argument>(HasSubstr(told)));
  };
  Network lacks_a_part = mlp(row_input(2));
  lacks_a_part.label_predictor = nullptr;
  refuses(lacks_a_part, "a: the network mlp has no label_predictor");
  Network too_many = mlp(row_input(2));
  too_many.label_predictor = [](NetworkBuilder& network, Value features, std::int64_t num_classes) {
    return linear(network, "label_predictor.fc1", features, num_classes + 4);
  };
  refuses(too_many, "a: the label_predictor of mlp gives f32 rows{0} x (7), and rows of 3 logits");
  Network misnamed = mlp(row_input(2));
  misnamed.feature_extractor = [](NetworkBuilder& network, Value x) {
    return linear(network, "backbone.fc1", x, 15);
  };
  this->recipe_.training.steps = 5;
  EXPECT_THAT(
      [&] {
        Trainer(source_only(), misnamed, this->recipe_, TrainingData{&*this->data_, nullptr}, 1,
                this->device_, 1);
      },
      ThrowsMessage<std::invalid_argument>(
          HasSubstr("none belongs to the part feature_extractor; there are backbone, "
                    "label_predictor")));
}

// Written once, however often it is asked for.
TYPED_TEST(StageRunTest, SamplesAndLabelsAreDrawnOnce) {
  const Method method = method_of_stages(
      {{.updates = {{"a", [](Step& step) {
                       EXPECT_EQ(step.samples(kSourceRows), step.samples(kSourceRows));
                       EXPECT_EQ(step.labels(), step.labels());
                       learn_labels(step);
                       EXPECT_EQ(step.graph().count("sample_indices"), 1);
                       EXPECT_EQ(step.graph().count("gather_labels"), 1);
                     }}}}});
  EXPECT_NO_THROW(this->trainer(method, 5));
}

TYPED_TEST(StageRunTest, ASchedulesRampSpansTheRun) {
  const Method method = method_of_stages(
      {{.updates = {{"a", [](Step& step) {
                       learn_labels(step);
                       step.report({.name = "ramp",
                                    .value = step.schedule({.kind = Schedule::Kind::kSigmoidRamp,
                                                            .start = 1.0,
                                                            .gamma = 10.0}),
                                    .last = true});
                     }}}}});
  const auto run = this->trainer(method, 8);
  for (int step = 0; step < 5; ++step) run->run(1);
  EXPECT_NEAR(run->epoch_report().find("ramp").value(), 2.0 / (1.0 + std::exp(-5.0)) - 1.0, 1e-6);
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

// A method that no list has, with a recipe that has not heard of it.
TYPED_TEST(StageRunTest, AMethodBringsItsOptions) {
  Method method =
      method_of_stages({{.updates = {{"a", [](Step& step) {
                                        learn_labels(step);
                                        EXPECT_EQ(step.options<StageTestOptions>().strength, 0.25);
                                      }}}}});
  method.options = {method_options<StageTestOptions>()};
  EXPECT_NO_THROW(this->trainer(method, 5));
  this->recipe_.template of<StageTestOptions>().strength = -1.0;
  EXPECT_THAT([&] { this->trainer(method, 5); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("--strength: -1")));
}

// When it is set up, not hours into it.
TYPED_TEST(StageRunTest, ALaterStageThatIsNotWholeIsRefusedAtOnce) {
  const Stage good{.updates = {{"good", learn_labels}}};
  const auto refuses = [&](const Stage& second, const char* told) {
    EXPECT_THAT(
        [&] {
          this->trainer(method_of_stages({good, second}, 2), 5);
        },
        ThrowsMessage<std::invalid_argument>(HasSubstr(told)));
  };
  refuses({.updates = {{"good", learn_labels}}}, "two updates are called good");
  refuses({.updates = {{"b", learn_labels}}, .copies = {{.from = 0, .to = 2}}},
          "bank 2 is copied, and there are 2");
  refuses({.updates = {{"b", learn_labels}}, .copies = {{.from = -1, .to = 1}}}, "bank -1");
  refuses({.updates = {{"b", learn_labels}}, .copies = {{.from = 1, .to = 1}}},
          "bank 1 is copied to itself");
  refuses({.updates = {{"b", [](Step& s) { s.feature_extractor(s.samples(kSourceRows), 2); }}}},
          "b reads bank 2, and there are 2");
  refuses({.updates = {{"b", [](Step& s) { s.feature_extractor(s.samples(kSourceRows), -1); }}}},
          "b: there is no bank -1");
  refuses({.updates = {{"b",
                        [](Step& s) {
                          const Value x = s.feature_extractor(s.samples(kSourceRows));
                          s.minimise({label_loss(s, s.label_predictor(x)).term}, {"critic"});
                        }}}},
          "critic");
  refuses(
      {.updates = {{"b",
                    [](Step& s) {
                      s.report({.name = "label_loss", .value = s.learning_rate(), .last = true});
                    }}}},
      "tell label_loss as a mean and as the last");
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
