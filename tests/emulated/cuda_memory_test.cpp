// How much of the GPU's memory a training takes. On the emulated one nobody else takes any.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

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
  const LabelledImages source = tiny_domain(40, 1, 1);
  const UnlabelledImages target = tiny_domain(40, 3, 2).without_labels();
  const Device device = select_device("cuda");
  Recipe recipe;
  recipe.training.source_batch = recipe.training.target_batch = 32;
  const auto taken = [&](int threads) {
    const std::size_t before = free_bytes();
    Trainer trainer(recipe, {&source, &target, {60.0F, 60.0F, 60.0F}}, 1, device, threads);
    const auto one = trainer.evaluator(source), other = trainer.evaluator(source);
    return before - free_bytes();
  };
  const std::size_t one = taken(1);
  EXPECT_GT(one, 1U << 20U);
  for (const int threads : {2, 3, 16}) EXPECT_EQ(taken(threads), one) << threads;
}

}  // namespace
}  // namespace gradflip
