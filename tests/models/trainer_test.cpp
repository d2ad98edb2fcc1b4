#include "models/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <type_traits>

#include "models/methods/dann_options.h"
#include "runtime/errors.h"
#include "runtime/safetensors.h"
#include "tests/support/backends.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_domains.h"

namespace gradflip {
namespace {

template <typename Ctx>
class TrainerTest : public BackendTest<Ctx> {
 protected:
  static constexpr bool kOnCpu = std::is_same_v<Ctx, Cpu>;

  void SetUp() override {
    BackendTest<Ctx>::SetUp();
    if (this->IsSkipped() || this->HasFatalFailure()) return;
    device_ = select_device(Backend<Ctx>::kName);
    domains_.emplace(device_.context, 90, 70);
  }

  // On the CPU enough rows for several shards of unequal size; the emulated GPU has no shards, and
  // takes its time.
  static Recipe short_run(std::int64_t steps) {
    Recipe recipe;
    recipe.training.source_batch = kOnCpu ? 40 : 5;
    recipe.training.target_batch = kOnCpu ? 24 : 3;
    recipe.training.steps = steps;
    return recipe;
  }

  TrainingData dann() const { return domains_->dann(); }
  TrainingData source_only() const { return domains_->source_only(); }

  std::vector<float> weights_after(const Recipe& recipe, const TrainingData& data,
                                   std::uint64_t seed, int threads) const {
    Trainer trainer(recipe, data, seed, device_, threads);
    trainer.run(recipe.training.steps);
    return trainer.weights();
  }

  Device device_;
  std::optional<TinyDomains> domains_;
};
TYPED_TEST_SUITE(TrainerTest, Backends, BackendNames);

TYPED_TEST(TrainerTest, SameSeedSameBitsForAnyNumberOfThreads) {
  const auto expect_same_bits = [this](const Recipe& recipe, const TrainingData& data) {
    const std::vector<float> one = this->weights_after(recipe, data, 5, 1);
    EXPECT_EQ(this->weights_after(recipe, data, 5, 1), one);
    for (const int threads : {2, 4, 8}) {
      if (!this->kOnCpu) break;
      SCOPED_TRACE(threads);
      EXPECT_EQ(this->weights_after(recipe, data, 5, threads), one);
    }
    EXPECT_NE(this->weights_after(recipe, data, 6, 1), one);
  };
  Recipe recipe = this->short_run(4);
  expect_same_bits(recipe, this->dann());
  expect_same_bits(recipe, this->source_only());
  recipe.training.precision = Math::kBf16;
  expect_same_bits(recipe, this->dann());
}

TYPED_TEST(TrainerTest, StepsInOneGoOrOneByOneAreTheSame) {
  const Recipe recipe = this->short_run(5);
  Trainer trainer(recipe, this->dann(), 5, this->device_, 2);
  for (int step = 0; step < 5; ++step) {
    trainer.run(1);
    trainer.evaluate(this->domains_->source());  // looks, does not touch
  }
  EXPECT_EQ(trainer.weights(), this->weights_after(recipe, this->dann(), 5, 2));
  EXPECT_EQ(trainer.steps_done(), 5);
  EXPECT_EQ(trainer.run(10).steps, 0);  // the run is over
}

TYPED_TEST(TrainerTest, LearnsWhatTheSourceShows) {
  Recipe recipe = this->short_run(150);
  recipe.training.source_batch = 5;
  recipe.training.learning_rate = 0.03;
  recipe.training.learning_rate_schedule = LearningRateSchedule::kConstant;
  Trainer trainer(recipe, this->source_only(), 3, this->device_, 2);
  const StepReport first = trainer.run(10);
  const StepReport last = trainer.run(140);
  EXPECT_LT(last.find("label_loss").value(), first.find("label_loss").value());
  EXPECT_GT(trainer.evaluate(this->domains_->source()), 0.9);
}

TYPED_TEST(TrainerTest, ReportsLossesPerImageAndTheSchedules) {
  Recipe recipe = this->short_run(10);
  recipe.training.learning_rate = 1e-12;
  recipe.of<DannOptions>().domain_weight = 7.0;  // must not show in the displayed loss
  Trainer trainer(recipe, this->dann(), 3, this->device_, 1);
  StepReport report = trainer.run(1);
  EXPECT_NEAR(report.find("label_loss").value(), std::log(10.0), 0.1);  // chance
  EXPECT_NEAR(report.find("domain_loss").value(), std::log(2.0), 0.1);  // chance
  EXPECT_EQ(report.find("lambda").value(), 0.0);
  report = trainer.run(5);
  EXPECT_EQ(report.steps, 5);
  EXPECT_NEAR(report.find("lambda").value(), 2.0 / (1.0 + std::exp(-10.0 * 0.5)) - 1.0, 1e-6);
  EXPECT_GE(report.find("domain_accuracy").value(), 0.0);
  EXPECT_LE(report.find("domain_accuracy").value(), 1.0);
}

TYPED_TEST(TrainerTest, DeclaresWhatItReports) {
  const std::vector<ReportColumn> label_only{{"label_loss"}, {"learning_rate", true}};
  const std::vector<ReportColumn> both{{"label_loss"},
                                       {"domain_loss"},
                                       {"domain_accuracy"},
                                       {"lambda", true},
                                       {"learning_rate", true}};
  for (const TrainingData& data : {this->source_only(), this->dann()}) {
    const Trainer trainer(this->short_run(2), data, 3, this->device_, 1);
    const std::vector<ReportColumn>& want = data.unlabelled == nullptr ? label_only : both;
    EXPECT_EQ(trainer.report_columns(), want);
    EXPECT_EQ(trainer.epoch_report(), StepMeans(want).report());
  }
}

TYPED_TEST(TrainerTest, SavesEveryParameterInFileOrder) {
  const TemporaryFolder folder;
  Trainer trainer(this->short_run(2), this->dann(), 3, this->device_, 1);
  trainer.run(2);
  trainer.save(folder.path() / "model.safetensors");
  const SafetensorsFile file = read_safetensors(folder.path() / "model.safetensors");
  EXPECT_EQ(file.content.tensors.size(), 14U);
  EXPECT_EQ(file.content.tensors.at("feature_extractor.conv2.weight").shape,
            (std::vector<std::int64_t>{48, 32, 5, 5}));
  EXPECT_EQ(file.content.tensors.at("label_predictor.fc1.weight").shape,
            (std::vector<std::int64_t>{100, 768}));
  EXPECT_EQ(file.content.metadata.at("channel_means"), "60,60,60");
  EXPECT_EQ(file.content.metadata.at("steps"), "2");

  Trainer other(this->short_run(2), this->dann(), 4, this->device_, 1);
  EXPECT_NE(other.weights(), trainer.weights());
  other.set_parameters(trainer.parameters());
  EXPECT_EQ(other.weights(), trainer.weights());
  std::vector<NamedTensor> wrong = trainer.parameters();
  wrong[0].shape = {1};
  EXPECT_THROW(other.set_parameters(wrong), std::invalid_argument);
}

std::string divergence(Trainer& trainer) {
  try {
    trainer.run(1000);
  } catch (const DivergedError& error) {
    return error.what();
  }
  return "no divergence";
}

TYPED_TEST(TrainerTest, DivergenceNamesStepAndQuantityAndKeepsTheLastFiniteWeights) {
  Recipe recipe = this->short_run(40);
  recipe.training.learning_rate = 1e18;
  recipe.training.learning_rate_schedule = LearningRateSchedule::kConstant;
  Trainer trainer(recipe, this->dann(), 3, this->device_, 2);
  const std::string text = divergence(trainer);
  EXPECT_NE(text.find("diverged at step"), std::string::npos) << text;
  EXPECT_NE(text.find("is not finite"), std::string::npos) << text;
  EXPECT_NE(text.find("--domain-weight"), std::string::npos) << text;
  const std::vector<float> weights = trainer.weights();
  EXPECT_TRUE(
      std::all_of(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); }));
}

TYPED_TEST(TrainerTest, DivergenceOfASourceOnlyRunNamesNoOptionOfADann) {
  Recipe recipe = this->short_run(20);
  recipe.training.learning_rate = 1e-6;
  recipe.training.weight_decay = 1e8;
  Trainer trainer(recipe, this->source_only(), 3, this->device_, 1);
  const std::string text = divergence(trainer);
  EXPECT_NE(text.find("; try a smaller --learning-rate, --momentum or --weight-decay"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("domain"), std::string::npos) << text;
}

TYPED_TEST(TrainerTest, DivergenceOnTheFirstStepNamesWhatWasAtWork) {
  Recipe recipe = this->short_run(2);
  auto& dann = recipe.of<DannOptions>();
  dann.domain_weight = 3e38;
  dann.lambda_schedule = LambdaSchedule::kConstant;
  dann.lambda = 1e3;
  Trainer trainer(recipe, this->dann(), 3, this->device_, 1);
  const std::string text = divergence(trainer);
  EXPECT_EQ(text.find("training diverged at step 0: the gradient of feature_extractor."), 0U)
      << text;
  EXPECT_NE(text.find("try a smaller --domain-weight or --lambda"), std::string::npos) << text;
}

TYPED_TEST(TrainerTest, RefusesDataThatDoNotFit) {
  Recipe recipe = this->short_run(1);
  recipe.training.source_batch = 91;
  EXPECT_THROW(Trainer(recipe, this->source_only(), 1, this->device_, 1), DataError);
  TrainingData no_labels = this->dann();
  no_labels.labelled = nullptr;
  EXPECT_THROW(Trainer(this->short_run(1), no_labels, 1, this->device_, 1), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
