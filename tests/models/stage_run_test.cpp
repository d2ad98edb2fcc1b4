// Methods of the test's own: what stages, banks, repeated updates and several updates of a step do.
#include "models/stage_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "models/methods/label_loss.h"
#include "models/networks/mlp.h"
#include "models/trainer.h"
#include "runtime/ops/row_sums.h"
#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::int64_t kPoints = 24;

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
    points_ = random_floats(2 * kPoints, 1);
    for (std::int64_t i = 0; i < kPoints; ++i) {  // by what each point shows
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

// A step that is done twice is two steps on the same samples, and counts as one.
TYPED_TEST(StageRunTest, ARepeatedUpdateIsOneStep) {
  const Method once = method_of_stages({{.updates = {{"labels", learn_labels}}}});
  const Method twice = method_of_stages({{.updates = {{"labels", learn_labels, 2}}}});
  const auto one = this->trainer(once, 9), two = this->trainer(twice, 9);
  EXPECT_EQ(one->weights(), two->weights());
  EXPECT_EQ(two->run(1).steps, 1);
  one->run(1);
  EXPECT_NE(one->weights(), two->weights());
  EXPECT_EQ(one->images_done(), 6);
  EXPECT_EQ(two->images_done(), 12);
  for (int step = 1; step < 9; ++step) two->run(1);
  const auto at_once = this->trainer(twice, 9);
  EXPECT_EQ(at_once->run(100).steps, 9);
  EXPECT_EQ(at_once->steps_done(), 9);
  EXPECT_EQ(at_once->weights(), two->weights());
  EXPECT_TRUE(std::isfinite(at_once->epoch_report().find("label_loss").value()));
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
  const StepReport first = run->run(100);
  EXPECT_EQ(first.steps, 4);  // as far as the stage goes
  EXPECT_FALSE(first.find("kept_loss"));
  const double at_first = run->evaluate(*this->data_);
  std::vector<double> kept;
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (int step = 0; step < 4; ++step) run->run(1);
    kept.push_back(run->epoch_report().find("kept_loss").value());
  }
  EXPECT_EQ(run->steps_done(), 16);
  EXPECT_NEAR(kept[1], kept[0], 1e-6);  // each of an epoch, of all points, with the same weights
  EXPECT_NEAR(kept[2], kept[0], 1e-6);
  EXPECT_LT(run->epoch_report().find("label_loss").value(), kept[0]);
  EXPECT_GE(at_first, 0.0);
}

// What a second update does is not undone by the first one's optimizer.
TYPED_TEST(StageRunTest, UpdatesOfAStepChangeTheirOwnParts) {
  const auto learn = [](const ParameterGroup& over) {
    return [over](Step& step) {
      const Value features = step.feature_extractor(step.samples(kSourceRows));
      const LabelLoss labels = label_loss(step, step.label_predictor(features));
      step.minimise({labels.term}, over);
    };
  };
  const Method both = method_of_stages({{.updates = {{"features", learn({"feature_extractor"})},
                                                     {"labels", learn({"label_predictor"})}}}});
  const Method features = method_of_stages({{.updates = {{"f", learn({"feature_extractor"})}}}});
  const auto one = this->trainer(both, 3), other = this->trainer(features, 3);
  const auto values = [](const Trainer& trainer, const std::string& name) {
    for (const NamedTensor& tensor : trainer.parameters()) {
      if (tensor.name == name) return tensor.values;
    }
    return std::vector<float>{};
  };
  const std::vector<float> before = values(*one, "label_predictor.fc1.weight");
  one->run(1);
  other->run(1);
  const std::string extractor = "feature_extractor.fc1.weight";
  EXPECT_EQ(values(*one, extractor), values(*other, extractor));
  EXPECT_NE(values(*one, "label_predictor.fc1.weight"), before);
  EXPECT_EQ(values(*other, "label_predictor.fc1.weight"), before);
}

TYPED_TEST(StageRunTest, AMethodThatIsNotWholeIsRefused) {
  const auto refuses = [this](const Method& method, const char* told) {
    EXPECT_THAT([&] { this->trainer(method, 5); },
                ThrowsMessage<std::invalid_argument>(HasSubstr(told)));
  };
  refuses(method_of_stages({}), "it has no stage");
  refuses(method_of_stages({{.updates = {}}}), "a stage has no update");
  refuses(method_of_stages({{.updates = {{"labels", learn_labels}}, .share = 0.0}}),
          "no stage has a share");
  refuses(method_of_stages({{.updates = {{"labels", learn_labels}}, .share = -1.0}}),
          "a share of -1");
  refuses(method_of_stages({{.updates = {{"labels", learn_labels, 0}}}}), "labels is done 0 times");
  refuses(method_of_stages({{.updates = {{"a", learn_labels}, {"b", learn_labels}}}}),
          "two columns are called label_loss");
  refuses(
      method_of_stages({{.updates = {{"a", learn_labels}}}, {.updates = {{"a", learn_labels}}}}),
      "two groups are called a");
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
  EXPECT_THAT(ends({0.1, 0.9}, 1), ElementsAre(0, 1));  // a stage may have no step
  EXPECT_THAT(ends({0, 1}, 9), ElementsAre(0, 9));
}

}  // namespace
}  // namespace gradflip
