// What an epoch reports must not depend on how the loop around the trainer cuts it, which the
// clock decides.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>
#include <vector>

#include "models/methods/dann.h"
#include "models/trainer.h"
#include "runtime/errors.h"
#include "tests/support/device_test.h"
#include "tests/support/tiny_domains.h"

namespace gradflip {
namespace {

template <typename Ctx>
class EpochReportTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  static constexpr bool kOnCpu = std::is_same_v<Ctx, Cpu>;
  // On the CPU an epoch is longer than the trainer looks ahead, 64 steps, and no multiple of it.
  // The emulated GPU takes its time.
  static constexpr std::int64_t kStepsPerEpoch = kOnCpu ? 66 : 5, kSteps = kStepsPerEpoch + 3;

  void prepare() override { set_batches(1, kSteps); }

  void set_batches(std::int64_t pictures, std::int64_t steps) {
    recipe_.training.source_batch = recipe_.training.target_batch = pictures;
    recipe_.training.steps = steps;
    domains_.emplace(device_.context, kStepsPerEpoch * pictures, 70);
  }

  // The reports at the end of each epoch, of a run in blocks of these lengths, over and over.
  std::vector<StepReport> epochs(const std::vector<std::int64_t>& blocks, int threads = 2) const {
    Trainer trainer(dann(), domains_->network(), recipe_, domains_->data(), 5, device_, threads);
    std::vector<StepReport> reports;
    for (std::size_t block = 0; trainer.steps_done() < recipe_.training.steps; ++block) {
      const std::int64_t in_epoch = trainer.steps_done() % kStepsPerEpoch;
      trainer.run(std::min(blocks[block % blocks.size()], kStepsPerEpoch - in_epoch));
      if (trainer.steps_done() % kStepsPerEpoch == 0 ||
          trainer.steps_done() == recipe_.training.steps) {
        reports.push_back(trainer.epoch_report());
      }
    }
    return reports;
  }

  Recipe recipe_;
  std::optional<TinyDomains> domains_;
};
TYPED_TEST_SUITE(EpochReportTest, Backends, BackendNames);

TYPED_TEST(EpochReportTest, IsTheSameBitsHoweverTheStepsAreCut) {
  const std::vector<StepReport> whole = this->epochs({1000});
  ASSERT_EQ(whole.size(), 2U);
  EXPECT_EQ(whole[0].steps, this->kStepsPerEpoch);
  EXPECT_EQ(whole[1].steps, this->kSteps - this->kStepsPerEpoch);
  EXPECT_TRUE(std::isfinite(whole[0].find("label_loss").value()) &&
              whole[0].find("label_loss").value() > 0.0);
  EXPECT_TRUE(this->epochs({1}) == whole);
  if (this->kOnCpu) {
    EXPECT_TRUE(this->epochs({7, 9, 1, 30}) == whole);
  }
}

TYPED_TEST(EpochReportTest, IsTheSameBitsForAnyNumberOfThreads) {
  if (!this->kOnCpu) GTEST_SKIP() << "a GPU takes batches whole";
  this->set_batches(22, 12);  // two shards
  const std::vector<StepReport> one = this->epochs({1000}, 1);
  for (const int threads : {2, 4, 8}) EXPECT_TRUE(this->epochs({5}, threads) == one) << threads;
}

TYPED_TEST(EpochReportTest, CoversTheStepsBeforeADivergence) {
  // Every step multiplies the weights by some -99, until a product overflows.
  this->recipe_.training.learning_rate = 1e-6;
  this->recipe_.training.weight_decay = 1e8;
  this->recipe_.training.learning_rate_schedule = LearningRateSchedule::kConstant;
  std::vector<StepReport> reports;
  for (const std::int64_t block : {1, 1000}) {
    Trainer trainer(dann(), this->domains_->network(), this->recipe_, this->domains_->data(), 5,
                    this->device_, 1);
    EXPECT_THROW(while (trainer.steps_done() < this->kSteps) trainer.run(block), DivergedError);
    EXPECT_THROW(trainer.run(block), DivergedError);  // stays so
    EXPECT_GT(trainer.steps_done(), 1);
    EXPECT_EQ(trainer.epoch_report().steps, trainer.steps_done());
    reports.push_back(trainer.epoch_report());
  }
  EXPECT_TRUE(reports[1] == reports[0]);
}

}  // namespace
}  // namespace gradflip
