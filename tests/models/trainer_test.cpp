#include "models/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "models/method_list.h"
#include "models/methods/dann.h"
#include "models/methods/dann_options.h"
#include "models/methods/source_only.h"
#include "runtime/errors.h"
#include "runtime/safetensors.h"
#include "tests/support/device_test.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_domains.h"

namespace gradflip {
namespace {

template <typename Ctx>
class TrainerTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  static constexpr bool kOnCpu = std::is_same_v<Ctx, Cpu>;

  void prepare() override { domains_.emplace(device_.context, 90, 70); }

  // On the CPU enough rows for several shards of unequal size; the emulated GPU has no shards, and
  // takes its time.
  static Recipe short_run(std::int64_t steps) {
    Recipe recipe;
    recipe.training.source_batch = kOnCpu ? 40 : 5;
    recipe.training.target_batch = kOnCpu ? 24 : 3;
    recipe.training.steps = steps;
    return recipe;
  }

  std::unique_ptr<Trainer> trainer(const Method& by, const Recipe& recipe, std::uint64_t seed = 3,
                                   int threads = 1) const {
    return std::make_unique<Trainer>(by, domains_->network(), recipe, domains_->data(), seed,
                                     device_, threads);
  }

  std::vector<float> weights_after(const Method& by, const Recipe& recipe, std::uint64_t seed,
                                   int threads) const {
    const std::unique_ptr<Trainer> run = trainer(by, recipe, seed, threads);
    while (run->run(recipe.training.steps).steps > 0) {
    }
    return run->weights();
  }

  std::optional<TinyDomains> domains_;
};
TYPED_TEST_SUITE(TrainerTest, Backends, BackendNames);

TYPED_TEST(TrainerTest, SameSeedSameBitsForAnyNumberOfThreads) {
  const auto expect_same_bits = [this](const Recipe& recipe, const Method& by) {
    SCOPED_TRACE(by.name);
    const std::vector<float> one = this->weights_after(by, recipe, 5, 1);
    EXPECT_EQ(this->weights_after(by, recipe, 5, 1), one);
    for (const int threads : {2, 4, 8}) {
      if (!this->kOnCpu) break;
      SCOPED_TRACE(threads);
      EXPECT_EQ(this->weights_after(by, recipe, 5, threads), one);
    }
    EXPECT_NE(this->weights_after(by, recipe, 6, 1), one);
  };
  Recipe recipe = this->short_run(4);
  for (const Method& each : methods()) expect_same_bits(recipe, each);
  recipe.training.precision = Math::kBf16;
  expect_same_bits(recipe, dann());
}

TYPED_TEST(TrainerTest, StepsInOneGoOrOneByOneAreTheSame) {
  const Recipe recipe = this->short_run(5);
  for (const Method& each : methods()) {
    SCOPED_TRACE(each.name);
    const std::unique_ptr<Trainer> run = this->trainer(each, recipe, 5, 2);
    for (int step = 0; step < 5; ++step) {
      run->run(1);
      run->evaluate(this->domains_->source());  // looks, does not touch
    }
    EXPECT_EQ(run->weights(), this->weights_after(each, recipe, 5, 2));
    EXPECT_EQ(run->steps_done(), 5);
    EXPECT_EQ(run->run(10).steps, 0);  // the run is over
  }
}

TYPED_TEST(TrainerTest, LearnsWhatTheSourceShows) {
  Recipe recipe = this->short_run(150);
  recipe.training.source_batch = 5;
  recipe.training.learning_rate = 0.03;
  recipe.training.learning_rate_schedule = LearningRateSchedule::kConstant;
  const std::unique_ptr<Trainer> run = this->trainer(source_only(), recipe, 3, 2);
  const StepReport first = run->run(10);
  const StepReport last = run->run(140);
  EXPECT_LT(last.find("label_loss").value(), first.find("label_loss").value());
  EXPECT_GT(run->evaluate(this->domains_->source()), 0.9);
  EXPECT_EQ(run->images_done(), 150 * 5);
}

TYPED_TEST(TrainerTest, ReportsLossesPerImageAndTheSchedules) {
  Recipe recipe = this->short_run(10);
  recipe.training.learning_rate = 1e-12;
  recipe.of<DannOptions>().domain_weight = 7.0;  // must not show in the displayed loss
  const std::unique_ptr<Trainer> run = this->trainer(dann(), recipe);
  StepReport report = run->run(1);
  EXPECT_NEAR(report.find("label_loss").value(), std::log(10.0), 0.1);  // chance
  EXPECT_NEAR(report.find("domain_loss").value(), std::log(2.0), 0.1);  // chance
  EXPECT_EQ(report.find("lambda").value(), 0.0);
  report = run->run(5);
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
  for (const Method& each : {source_only(), dann()}) {
    const std::unique_ptr<Trainer> run = this->trainer(each, this->short_run(2));
    const std::vector<ReportColumn>& want = each.reads_target ? both : label_only;
    EXPECT_EQ(run->report_columns(), want);
    EXPECT_EQ(run->epoch_report(), StepMeans(want).report());
  }
}

TYPED_TEST(TrainerTest, SavesEveryParameterInFileOrder) {
  const TemporaryFolder folder;
  const std::unique_ptr<Trainer> run = this->trainer(dann(), this->short_run(2));
  run->run(2);
  run->save(folder.path() / "model.safetensors");
  const SafetensorsFile file = read_safetensors(folder.path() / "model.safetensors");
  EXPECT_EQ(file.content.tensors.size(), 14U);
  EXPECT_EQ(file.content.tensors.at("feature_extractor.conv2.weight").shape,
            (std::vector<std::int64_t>{48, 32, 5, 5}));
  EXPECT_EQ(file.content.tensors.at("label_predictor.fc1.weight").shape,
            (std::vector<std::int64_t>{100, 768}));
  EXPECT_EQ(file.content.metadata.at("channel_means"), "60,60,60");
  EXPECT_EQ(file.content.metadata.at("steps"), "2");
  EXPECT_EQ(file.content.metadata.at("network"), "paper-mnist");
  EXPECT_EQ(file.content.metadata.at("method"), "dann");

  const std::unique_ptr<Trainer> other = this->trainer(dann(), this->short_run(2), 4);
  EXPECT_NE(other->weights(), run->weights());
  other->set_parameters(run->parameters());
  EXPECT_EQ(other->weights(), run->weights());
  std::vector<NamedTensor> wrong = run->parameters();
  wrong[0].shape = {1};
  EXPECT_THROW(other->set_parameters(wrong), std::invalid_argument);
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
  const std::unique_ptr<Trainer> run = this->trainer(dann(), recipe, 3, 2);
  const std::string text = divergence(*run);
  EXPECT_NE(text.find("diverged at step"), std::string::npos) << text;
  EXPECT_NE(text.find("is not finite"), std::string::npos) << text;
  EXPECT_NE(text.find("--domain-weight"), std::string::npos) << text;
  const std::vector<float> weights = run->weights();
  EXPECT_TRUE(
      std::all_of(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); }));
}

TYPED_TEST(TrainerTest, DivergenceOfASourceOnlyRunNamesNoOptionOfADann) {
  Recipe recipe = this->short_run(20);
  recipe.training.learning_rate = 1e-6;
  recipe.training.weight_decay = 1e8;
  const std::string text = divergence(*this->trainer(source_only(), recipe));
  EXPECT_NE(text.find("; try a smaller --learning-rate, --momentum or --weight-decay"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("domain"), std::string::npos) << text;
}

TYPED_TEST(TrainerTest, DivergenceOnTheFirstStepNamesWhatWasAtWork) {
  Recipe recipe = this->short_run(2);
  auto& options = recipe.of<DannOptions>();
  options.domain_weight = 3e38;
  options.lambda_schedule = LambdaSchedule::kConstant;
  options.lambda = 1e3;
  const std::string text = divergence(*this->trainer(dann(), recipe));
  EXPECT_EQ(text.find("training diverged at step 0: the gradient of feature_extractor."), 0U)
      << text;
  EXPECT_NE(text.find("try a smaller --domain-weight or --lambda"), std::string::npos) << text;
}

TYPED_TEST(TrainerTest, RefusesDataThatDoNotFit) {
  Recipe recipe = this->short_run(1);
  recipe.training.source_batch = 91;
  EXPECT_THROW(this->trainer(source_only(), recipe), DataError);
  const auto train = [&](const TrainingData& data) {
    const Trainer trainer(dann(), this->domains_->network(), this->short_run(1), data, 1,
                          this->device_, 1);
  };
  EXPECT_THROW(train({nullptr, this->domains_->data().target}), std::invalid_argument);
  EXPECT_THROW(train({this->domains_->data().source, nullptr}), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
