// What a Step gives its author, and what it tells of a mistake.
#include "models/step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "models/methods/label_loss.h"
#include "models/methods/source_only.h"
#include "runtime/ops/row_sums.h"
#include "tests/support/points_test.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

struct StageTestOptions {
  double strength = 0.25;
};

std::vector<OptionField> fields(StageTestOptions& o) {
  return {real_option({"strength", "Test", "of a test"}, o.strength, RealRange::kAtLeastZero,
                      UsedAs::kF32)};
}

template <typename Ctx>
class StepTest : public PointsTest<Ctx> {};
TYPED_TEST_SUITE(StepTest, Backends, BackendNames);

// Written once, however often it is asked for.
TYPED_TEST(StepTest, SamplesAndLabelsAreDrawnOnce) {
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

TYPED_TEST(StepTest, ASchedulesRampSpansTheRun) {
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

// A method that no list has, with a recipe that has not heard of it.
TYPED_TEST(StepTest, AMethodBringsItsOptions) {
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

TYPED_TEST(StepTest, WhatAnUpdateMeetsIsToldWithItsName) {
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

TYPED_TEST(StepTest, ANetworkThatDoesNotKeepItsWordIsRefused) {
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

}  // namespace
}  // namespace gradflip
