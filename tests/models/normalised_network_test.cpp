// A network with batch normalisation and dropout, trained and measured.
#include <gtest/gtest.h>

#include <optional>
#include <type_traits>
#include <vector>

#include "models/layers.h"
#include "models/methods/dann.h"
#include "models/methods/dann_options.h"
#include "models/methods/source_only.h"
#include "models/trainer.h"
#include "runtime/ops/relu.h"
#include "tests/support/device_test.h"
#include "tests/support/two_clouds.h"

namespace gradflip {
namespace {

constexpr std::uint64_t kNormPoints = 200;

Network normalised_points() {
  return {.name = "normalised",
          .input = row_input(2),
          .feature_extractor =
              [](NetworkBuilder& network, Value x) {
                Value h = linear(network, "feature_extractor.fc1", x, 16, {.bias = false});
                h = batch_norm(network, "feature_extractor.bn1", h);
                h = ops::relu(network.graph(), h);
                return dropout(network, "feature_extractor.drop1", h, 0.2);
              },
          .label_predictor =
              [](NetworkBuilder& network, Value features, std::int64_t num_classes) {
                return linear(network, "label_predictor.fc1", features, num_classes);
              },
          .domain_classifier =
              [](NetworkBuilder& network, Value features, std::int64_t num_logits) {
                return linear(network, "domain_classifier.fc1", features, num_logits);
              }};
}

template <typename Ctx>
class NormalisedNetworkTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  static constexpr bool kIsCpu = std::is_same_v<Ctx, Cpu>;  // the emulated GPU takes its time

  void prepare() override {
    source_.emplace(device_.context, rows_of(source_points_, {2}), classes_, 2, "source");
    target_.emplace(device_.context, rows_of(target_points_, {2}), classes_, 2, "target");
    recipe_.training.source_batch = recipe_.training.target_batch = 50;
    recipe_.training.learning_rate = 0.1;
    recipe_.training.steps = kIsCpu ? 200 : 30;
  }

  Trainer trainer(const Method& method, int threads = 2) const {
    return {method, normalised_points(), recipe_, {&*source_, &*target_}, 1, device_, threads};
  }

  // The target's are moved far to the right, and larger.
  std::vector<float> source_points_ = two_clouds(kNormPoints, 1);
  std::vector<float> target_points_ = two_clouds(kNormPoints, 2, /*moved=*/5.0F, /*size=*/2.0F);
  std::vector<std::int32_t> classes_ = cloud_classes(kNormPoints);
  std::optional<LabelledDeviceData> source_, target_;
  Recipe recipe_;
};
TYPED_TEST_SUITE(NormalisedNetworkTest, Backends, BackendNames);

TYPED_TEST(NormalisedNetworkTest, SameBitsForAnyNumberOfThreads) {
  for (const BatchStatistics statistics :
       {BatchStatistics::kJoint, BatchStatistics::kSeparate, BatchStatistics::kPerDomain}) {
    this->recipe_.training.batch_norm = statistics;
    std::vector<float> first;
    for (const int threads : {1, 2, 4, 8}) {
      Trainer trainer = this->trainer(dann(), threads);
      trainer.run(5);
      if (first.empty()) first = trainer.weights();
      EXPECT_EQ(trainer.weights(), first) << threads;
    }
  }
}

// Running statistics of the source say nothing of a target that lies elsewhere; those of the target,
// which take no labels, put it in the source's place.
TYPED_TEST(NormalisedNetworkTest, StatisticsOfTheTargetMoveItToWhereTheSourceWas) {
  Trainer running = this->trainer(source_only());
  running.run(running.total_steps());
  EXPECT_GT(running.evaluate(*this->source_, kSource), 0.95);
  EXPECT_LT(running.evaluate(*this->target_, kTarget), 0.6);

  this->recipe_.training.evaluation_statistics = EvaluationStatistics::kEstimated;
  Trainer estimated = this->trainer(source_only());
  estimated.run(estimated.total_steps());
  EXPECT_GT(estimated.evaluate(*this->source_, kSource), 0.95);
  EXPECT_GT(estimated.evaluate(*this->target_, kTarget), 0.95);
  EXPECT_EQ(estimated.weights(), running.weights()) << "it is a matter of the evaluation";
}

TYPED_TEST(NormalisedNetworkTest, AnEvaluationFollowsTheWeights) {
  this->recipe_.training.evaluation_statistics = EvaluationStatistics::kEstimated;
  Trainer trainer = this->trainer(source_only());
  const auto evaluator = trainer.evaluator(*this->source_, kSource);
  const double before = evaluator->accuracy();
  EXPECT_EQ(evaluator->accuracy(), before);
  trainer.run(trainer.total_steps());
  EXPECT_GT(evaluator->accuracy(), 0.95);
}

// Each domain by its own statistics: the label predictor, which learns on the source alone, finds
// the target's classes on the same sides.
TYPED_TEST(NormalisedNetworkTest, StatisticsPerDomainServeBoth) {
  this->recipe_.training.batch_norm = BatchStatistics::kPerDomain;
  this->recipe_.template of<DannOptions>().domain_weight = 0.1;
  Trainer trainer = this->trainer(dann());
  trainer.run(trainer.total_steps());
  EXPECT_GT(trainer.evaluate(*this->source_, kSource), 0.95);
  EXPECT_GT(trainer.evaluate(*this->target_, kTarget), 0.95);
}

}  // namespace
}  // namespace gradflip
