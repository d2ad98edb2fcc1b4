// Methods of the tests' own, trained on a few points of three classes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "models/methods/label_loss.h"
#include "models/networks/mlp.h"
#include "models/trainer.h"
#include "tests/support/device_test.h"
#include "tests/support/random_data.h"

namespace gradflip {

inline constexpr std::int64_t kStagePoints = 24;

inline void learn_labels(Step& step) {
  const Value features = step.feature_extractor(step.samples(kSourceRows));
  const LabelLoss labels = label_loss(step, step.label_predictor(features));
  step.minimise({labels.term});
  step.report({.name = "label_loss", .value = labels.losses});
}

// The label loss of a bank, of which nothing is trained.
inline void watch_bank(Step& step) {
  const Value features = step.feature_extractor(step.samples(kSourceRows), 1);
  const LabelLoss labels = label_loss(step, step.label_predictor(features, 1));
  step.report({.name = "kept_loss", .value = labels.losses});
}

inline Method method_of_stages(std::vector<Stage> stages, int banks = 1) {
  return {.name = "test",
          .summary = "of a test",
          .reads_target = false,
          .banks = banks,
          .stages = [stages](const Recipe&) { return stages; }};
}

template <typename Ctx>
class PointsTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  void prepare() override {
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

  Recipe recipe_;
  std::vector<float> points_;
  std::vector<std::int32_t> labels_;
  std::optional<LabelledDeviceData> data_;
};

}  // namespace gradflip
