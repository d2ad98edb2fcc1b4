// How much of the GPU's memory a training takes. On the emulated one nobody else takes any.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "models/methods/dann.h"
#include "models/networks/digits_m.h"
#include "models/networks/paper_mnist.h"
#include "models/trainer.h"
#include "tests/support/tiny_domains.h"

namespace gradflip {
namespace {

std::size_t free_bytes() {
  std::size_t free = 0, total = 0;
  EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  return free;
}

// A batch stays whole there: threads of the host have nothing to do with it.
TEST(CudaMemoryTest, DoesNotDependOnTheNumberOfThreads) {
  const Device device = select_device("cuda");
  const TinyDomains domains(device.context, 40, 40);
  Recipe recipe;
  recipe.training.source_batch = recipe.training.target_batch = 32;
  const auto taken = [&](int threads) {
    const std::size_t before = free_bytes();
    Trainer trainer(dann(), domains.network(), recipe, domains.data(), 1, device, threads);
    const auto one = trainer.evaluator(domains.source()),
               other = trainer.evaluator(domains.source());
    return before - free_bytes();
  };
  const std::size_t one = taken(1);
  EXPECT_GT(one, 1U << 20U);
  for (const int threads : {2, 3, 16}) EXPECT_EQ(taken(threads), one) << threads;
}

// Nor does a step take any after the first one, which launches; the second is recorded, and the
// emulated GPU lets no recording allocate.
TEST(CudaMemoryTest, ANormalisedAndAugmentedStepTakesNothingAfterTheFirst) {
  const Device device = select_device("cuda");
  const TinyDomains domains(device.context, 9, 8);
  Recipe recipe;
  recipe.training.source_batch = 2;
  recipe.training.target_batch = 1;
  recipe.training.steps = 4;
  recipe.training.augment = "strong";
  recipe.training.batch_norm = BatchStatistics::kPerDomain;
  recipe.training.optimizer = OptimizerKind::kAdam;
  Trainer trainer(dann(), digits_m(digits_input({60.0F, 60.0F, 60.0F})), recipe, domains.data(), 1,
                  device, 1);
  trainer.run(1);
  const std::size_t before = free_bytes();
  trainer.run(2);
  EXPECT_EQ(free_bytes(), before);
}

TEST(CudaMemoryTest, ADataSetIsThereOnceHoweverManyLookAtIt) {
  const Device device = select_device("cuda");
  Recipe recipe;
  recipe.training.source_batch = recipe.training.target_batch = 2;
  const auto taken = [&](const TinyDomains& domains) {
    const std::size_t before = free_bytes();
    Trainer one(dann(), domains.network(), recipe, domains.data(), 1, device, 1);
    Trainer other(dann(), domains.network(), recipe, domains.data(), 2, device, 1);
    const auto evaluator = one.evaluator(domains.source());
    return before - free_bytes();
  };
  const TinyDomains few(device.context, 512, 100), many(device.context, 2048, 2000);
  EXPECT_EQ(taken(many), taken(few));
}

}  // namespace
}  // namespace gradflip
