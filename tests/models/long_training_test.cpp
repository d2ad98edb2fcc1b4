// Some hundred steps of the paper's network, beside the CPU: what a kernel that is right on every
// single tensor could still get wrong shows here. Too long for every thread order of the emulator.
#include <gtest/gtest.h>

#include <type_traits>

#include "models/methods/dann.h"
#include "models/trainer.h"
#include "tests/support/backends.h"
#include "tests/support/tiny_domains.h"

namespace gradflip {
namespace {

template <typename Ctx>
class LongTrainingTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(LongTrainingTest, Backends, BackendNames);

struct Losses {
  double first, last, domain;
};

Losses losses_on(const std::string& device) {
  const Device selected = select_device(device);
  const TinyDomains domains(selected.context, 90, 70);
  Recipe recipe;
  TrainingOptions& options = recipe.training;
  options.source_batch = 6;
  options.target_batch = 4;
  options.learning_rate_schedule = LearningRateSchedule::kConstant;
  options.steps = 140;
  Trainer trainer(dann(), domains.network(), recipe, domains.data(), /*seed=*/3, selected, 2);
  const double first = trainer.run(20).find("label_loss").value();
  trainer.run(100);
  const StepReport last = trainer.run(20);
  return {first, last.find("label_loss").value(), last.find("domain_loss").value()};
}

TYPED_TEST(LongTrainingTest, LowersTheLossAsTheCpuDoes) {
  const Losses cpu = losses_on("cpu");
  EXPECT_LT(cpu.last, 0.5 * cpu.first);
  if (std::is_same_v<TypeParam, Cpu>) return;  // as itself: TrainerTest compares bits
  const Losses got = losses_on(Backend<TypeParam>::kName);
  EXPECT_NEAR(got.first, cpu.first, 1e-3 * cpu.first);
  // Rounding grows over a hundred steps, but both arrive at the same place.
  EXPECT_NEAR(got.last, cpu.last, 0.1 * cpu.first);
  EXPECT_NEAR(got.domain, cpu.domain, 0.1 * cpu.domain);
}

}  // namespace
}  // namespace gradflip
