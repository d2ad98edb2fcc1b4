#include "models/methods/adda.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "models/methods/dann.h"
#include "models/methods/source_only.h"
#include "models/networks/mlp.h"
#include "models/trainer.h"
#include "tests/support/device_test.h"
#include "tests/support/two_clouds.h"

namespace gradflip {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kAddaPoints = 160;

template <typename Ctx>
class AddaTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  static constexpr bool kOnCpu = std::is_same_v<Ctx, Cpu>;  // the emulated GPU takes its time

  void prepare() override {
    source_.emplace(device_.context, rows_of(source_points_, {2}), classes_, 2, "source");
    target_.emplace(device_.context, rows_of(target_points_, {2}), classes_, 2, "target");
    recipe_.training.source_batch = recipe_.training.target_batch = 32;
    recipe_.training.steps = kOnCpu ? 600 : 20;
    recipe_.of<AddaOptions>().adda_learning_rate = 2e-3;
  }

  Trainer trainer(const Method& method) const {
    return {method, mlp(row_input(2)), recipe_, {&*source_, &*target_}, 1, device_, 2};
  }

  using Weights = std::map<std::string, std::vector<float>>;
  static Weights weights_of(const Trainer& trainer) {
    Weights weights;
    for (const NamedTensor& tensor : trainer.parameters()) weights[tensor.name] = tensor.values;
    return weights;
  }
  static bool same_part(const Weights& a, const Weights& b, const std::string& part) {
    for (const auto& [name, values] : a) {
      if (name.starts_with(part) && b.at(name) != values) return false;
    }
    return true;
  }

  Recipe recipe_;
  // The target's are moved, without being turned over.
  std::vector<float> source_points_ = two_clouds(kAddaPoints, 1),
                     target_points_ = two_clouds(kAddaPoints, 2, /*moved=*/1.0F);
  std::vector<std::int32_t> classes_ = cloud_classes(kAddaPoints);
  std::optional<LabelledDeviceData> source_, target_;
};
TYPED_TEST_SUITE(AddaTest, Backends, BackendNames);

TYPED_TEST(AddaTest, PretrainsThenAdaptsTheFeaturesAlone) {
  Trainer trainer = this->trainer(adda());
  EXPECT_THAT(trainer.report_columns(),
              ElementsAre(ReportColumn{"label_loss"}, ReportColumn{"learning_rate", true},
                          ReportColumn{"domain_loss"}, ReportColumn{"domain_accuracy"},
                          ReportColumn{"mapping_loss"}));
  const auto start = this->weights_of(trainer);
  const std::int64_t half = this->recipe_.training.steps / 2;
  EXPECT_EQ(trainer.run(10'000).steps, half);
  EXPECT_EQ(trainer.images_done(), half * 32);
  const auto pretrained = this->weights_of(trainer);
  const std::vector<float> at_border = trainer.weights();
  EXPECT_FALSE(this->same_part(start, pretrained, "feature_extractor"));
  EXPECT_FALSE(this->same_part(start, pretrained, "label_predictor"));
  EXPECT_TRUE(this->same_part(start, pretrained, "domain_classifier"));

  const StepReport report = trainer.run(10'000);
  EXPECT_EQ(report.steps, half);
  EXPECT_EQ(trainer.images_done(), half * (32 + 3 * 32));
  EXPECT_FALSE(report.find("label_loss"));
  EXPECT_TRUE(std::isfinite(report.find("mapping_loss").value()));
  const auto adapted = this->weights_of(trainer);
  EXPECT_FALSE(this->same_part(pretrained, adapted, "feature_extractor"));
  EXPECT_TRUE(this->same_part(pretrained, adapted, "label_predictor"));
  EXPECT_FALSE(this->same_part(pretrained, adapted, "domain_classifier"));
  EXPECT_EQ(trainer.weights(1), at_border);  // the source's features stay where they were
}

// Pre-training is source-only's training: the same weights where the run is as long.
TYPED_TEST(AddaTest, PretrainingIsTrainingOnTheSource) {
  this->recipe_.training.learning_rate_schedule = LearningRateSchedule::kConstant;
  Trainer adapting = this->trainer(adda()), alone = this->trainer(source_only());
  adapting.run(7);
  alone.run(7);
  const auto learned = this->weights_of(alone);
  const auto pretrained = this->weights_of(adapting);
  for (const auto& [name, values] : learned) EXPECT_EQ(pretrained.at(name), values) << name;
}

// Hundreds of steps: what the backends do alike is compared above.
using AddaLongTest = AddaTest<Cpu>;
TEST_F(AddaLongTest, MovesTheTargetAmongTheSource) {
  Trainer trainer = this->trainer(adda());
  trainer.run(10'000);
  const double before = trainer.evaluate(*target_);
  trainer.run(10'000);
  const double after = trainer.evaluate(*target_);
  EXPECT_LT(before, 0.85);
  EXPECT_GT(after, before + 0.08) << before;
}

TEST(AddaSuspectsTest, AreTheOptionsThatWereAtWork) {
  const auto suspects = [](const Divergence& divergence) {
    return suspects_of(adda(), divergence, {});
  };
  Divergence divergence;
  divergence.update = "pretraining";
  EXPECT_THAT(suspects(divergence), IsEmpty());
  divergence.step = divergence.stage_step = 1;
  EXPECT_THAT(suspects(divergence), ElementsAre("--learning-rate"));
  divergence = {.step = 50, .update = "discriminator"};
  EXPECT_THAT(suspects(divergence), ElementsAre("--learning-rate", "--momentum"));
  divergence.after_an_update = true;
  EXPECT_THAT(suspects(divergence),
              ElementsAre("--learning-rate", "--momentum", "--adda-learning-rate"));
}

TYPED_TEST(AddaTest, FeaturesCanBeUpdatedMoreOftenThanTheDiscriminator) {
  this->recipe_.template of<AddaOptions>().adda_pretraining = 0.0;
  this->recipe_.training.steps = 5;
  const auto images = [this](std::int64_t updates) {
    this->recipe_.template of<AddaOptions>().adda_extractor_updates = updates;
    Trainer trainer = this->trainer(adda());
    EXPECT_EQ(trainer.run(100).steps, 5);
    EXPECT_TRUE(std::isfinite(trainer.epoch_report().find("mapping_loss").value()));
    return trainer.images_done();
  };
  EXPECT_EQ(images(1), 5 * (2 * 32 + 32));
  EXPECT_EQ(images(10), 5 * (2 * 32 + 10 * 32));
}

TYPED_TEST(AddaTest, TheShareOfPretrainingIsAnOption) {
  this->recipe_.template of<AddaOptions>().adda_pretraining = 0.25;
  this->recipe_.training.steps = 20;
  EXPECT_EQ(this->trainer(adda()).run(100).steps, 5);
  this->recipe_.template of<AddaOptions>().adda_pretraining = 0.0;
  EXPECT_EQ(this->trainer(adda()).run(100).steps, 20);
  this->recipe_.template of<AddaOptions>().adda_pretraining = 1.0;
  EXPECT_THROW(this->trainer(adda()), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
