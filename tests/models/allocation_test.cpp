// Replaces the global allocation functions of this executable, so that a test can count what
// training allocates.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "models/methods/adda.h"
#include "models/methods/dann.h"
#include "models/methods/source_only.h"
#include "models/networks/digits_m.h"
#include "models/networks/paper_mnist.h"
#include "models/trainer.h"
#include "tests/support/tiny_domains.h"

namespace {

std::atomic<std::int64_t> allocations{0}, allocated_bytes{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  allocated_bytes.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace gradflip {
namespace {

TEST(AllocationTest, TrainingAllocatesNothingAfterTheFirstStep) {
  const TinyDomains domains(Cpu{}, 200, 200);
  Recipe recipe;
  recipe.training.steps = 10;
  Trainer trainer(dann(), domains.network(), recipe, domains.data(), 1, select_device("cpu"), 2);
  trainer.run(1);
  const std::int64_t before = allocations.load();
  trainer.run(5);
  EXPECT_EQ(allocations.load(), before);
  EXPECT_GT(before, 0);  // the counter works
}

// Statistics of batches, dropout's masks, augmented pictures and Adam's moments have their places.
TEST(AllocationTest, ANormalisedAndAugmentedStepAllocatesNothingAfterTheFirst) {
  const TinyDomains domains(Cpu{}, 200, 200);
  Recipe recipe;
  recipe.training.steps = 10;
  recipe.training.source_batch = recipe.training.target_batch = 24;  // two shards
  recipe.training.augment = "strong";
  recipe.training.optimizer = OptimizerKind::kAdam;
  for (const BatchStatistics statistics : {BatchStatistics::kJoint, BatchStatistics::kPerDomain}) {
    recipe.training.batch_norm = statistics;
    Trainer trainer(dann(), digits_m(digits_input({60.0F, 60.0F, 60.0F})), recipe, domains.data(),
                    1, select_device("cpu"), 2);
    trainer.run(1);
    const std::int64_t before = allocations.load();
    trainer.run(5);
    EXPECT_EQ(allocations.load(), before);
  }
}

// Of several updates and stages, too; what a stage needs is made when it begins.
TEST(AllocationTest, AStageAllocatesNothingAfterItsFirstSteps) {
  const TinyDomains domains(Cpu{}, 70, 70);
  Recipe recipe;
  recipe.training.steps = 24;
  Trainer trainer(adda(), domains.network(), recipe, domains.data(), 1, select_device("cpu"), 2);
  for (int stage = 0; stage < 2; ++stage) {
    trainer.run(2);
    const std::int64_t before = allocations.load();
    trainer.run(5);
    trainer.run(5);
    EXPECT_EQ(allocations.load(), before) << stage;
  }
  EXPECT_EQ(trainer.steps_done(), 24);
}

// Two shards are computed by two threads at most: more of them need no memory to compute in.
TEST(AllocationTest, MoreThreadsThanShardsTakeNoMoreMemory) {
  const TinyDomains domains(Cpu{}, 64, 64);
  Recipe recipe;
  const auto bytes = [&](int threads) {
    const std::int64_t before = allocated_bytes.load();
    const Trainer trainer(source_only(), domains.network(), recipe, domains.data(), 1,
                          select_device("cpu"), threads);
    return allocated_bytes.load() - before;
  };
  bytes(1);  // what is made once
  EXPECT_LT(bytes(16) - bytes(2), 100'000);
  EXPECT_GT(bytes(2), 1'000'000);
}

// Where the context's memory is the host's, nobody needs another copy of the pictures.
TEST(AllocationTest, TrainersAndEvaluatorsCopyNoPicture) {
  const TinyDomains few(Cpu{}, 512, 64), many(Cpu{}, 1024, 128);
  Recipe recipe;
  const auto bytes = [&](const TinyDomains& domains) {
    const std::int64_t before = allocated_bytes.load();
    Trainer trainer(dann(), domains.network(), recipe, domains.data(), 1, select_device("cpu"), 1);
    const auto evaluator = trainer.evaluator(domains.source());
    return allocated_bytes.load() - before;
  };
  bytes(few);  // what is made once
  EXPECT_LT(bytes(many) - bytes(few), 1'000);
}

}  // namespace
}  // namespace gradflip
