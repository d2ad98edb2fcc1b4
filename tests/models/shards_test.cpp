// How the batches of digits are cut: published results hang on it, bit for bit.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "models/dann.h"
#include "models/training_graph.h"
#include "runtime/memory_plan.h"

namespace gradflip {
namespace {

const DatasetShape kDigits{60000, {28, 28, 3}};
const NetworkInput kInput = digits_input({60.0F, 60.0F, 60.0F});
constexpr std::int64_t kRowsPerPiece = 32;

MemoryPlan plan_of_training(const Recipe& recipe, bool adversarial) {
  Parameters parameters;
  const TrainingGraph training = build_training_graph(
      recipe, kInput, kDigits, 10, adversarial ? kDigits : DatasetShape{}, 1, 1000, parameters);
  std::vector<std::int64_t> rows{recipe.training.source_batch};
  if (adversarial) rows.push_back(recipe.training.target_batch);
  return plan_memory(training.graph, parameters, Cpu{}, rows);
}

TEST(ShardsTest, DigitsAreCutIntoPiecesOf32) {
  Recipe recipe;
  for (const Math precision : {Math::kF32, Math::kBf16}) {
    for (const std::int64_t domain_logits : {1, 2}) {
      for (const std::int64_t source_batch : {16, 64, 128, 256}) {
        recipe.training.precision = precision;
        recipe.of<DannOptions>().domain_logits = domain_logits;
        recipe.training.source_batch = source_batch;
        for (const bool adversarial : {false, true}) {
          const MemoryPlan plan = plan_of_training(recipe, adversarial);
          EXPECT_EQ(plan.cut.micro_batch_images, kRowsPerPiece);
          EXPECT_EQ(plan.cut.max_shards, kCpuCut.max_shards);
        }
      }
    }
  }
  Parameters parameters;
  build_training_graph(recipe, kInput, kDigits, 10, kDigits, 1, 1000, parameters);
  const EvaluationGraph evaluation =
      build_evaluation_graph(kInput, kDigits, 10, 512, Math::kF32, parameters);
  const MemoryPlan plan =
      plan_memory(evaluation.graph, parameters, Cpu{}, std::array<std::int64_t, 1>{512});
  EXPECT_EQ(plan.cut.micro_batch_images, kRowsPerPiece);
  EXPECT_EQ(plan.cut.max_shards, kCpuCut.max_shards);
}

}  // namespace
}  // namespace gradflip
