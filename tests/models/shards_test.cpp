// How the batches of digits are cut: published results hang on it, bit for bit.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "models/evaluation.h"
#include "models/methods/dann.h"
#include "models/methods/dann_options.h"
#include "models/methods/source_only.h"
#include "runtime/compile.h"
#include "runtime/memory_plan.h"
#include "tests/support/written_step.h"

namespace gradflip {
namespace {

const DatasetShape kDigits{60000, {28, 28, 3}};
constexpr std::int64_t kRowsPerPiece = 32;

MemoryPlan plan_of_training(const Method& method, const Recipe& recipe, Parameters& parameters) {
  const std::vector<WrittenUpdate> updates =
      written_step(method, recipe, kDigits, kDigits, /*total_steps=*/1000, parameters);
  const Compiled compiled = compile(updates.front().draft, parameters, {});
  return plan_memory(compiled.graph, parameters, Cpu{}, updates.front().rows);
}

TEST(ShardsTest, DigitsAreCutIntoPiecesOf32) {
  Recipe recipe;
  for (const Math precision : {Math::kF32, Math::kBf16}) {
    for (const std::int64_t domain_logits : {1, 2}) {
      for (const std::int64_t source_batch : {16, 64, 128, 256}) {
        recipe.training.precision = precision;
        recipe.of<DannOptions>().domain_logits = domain_logits;
        recipe.training.source_batch = source_batch;
        for (const Method& method : {source_only(), dann()}) {
          Parameters parameters;
          const MemoryPlan plan = plan_of_training(method, recipe, parameters);
          EXPECT_EQ(plan.cut.micro_batch_images, kRowsPerPiece);
          EXPECT_EQ(plan.cut.max_shards, kCpuCut.max_shards);
        }
      }
    }
  }
  Parameters parameters;
  (void)plan_of_training(dann(), recipe, parameters);
  const Evaluation evaluation =
      write_evaluation(paper_network(), parameters, kDigits, 10, 512, Pass{});
  const Compiled compiled = compile(evaluation.draft, parameters, {});
  const MemoryPlan plan =
      plan_memory(compiled.graph, parameters, Cpu{}, std::array<std::int64_t, 1>{512});
  EXPECT_EQ(plan.cut.micro_batch_images, kRowsPerPiece);
  EXPECT_EQ(plan.cut.max_shards, kCpuCut.max_shards);
}

TEST(EvaluationTest, LeavesTheParametersAsTheyAre) {
  const Parameters parameters;
  EXPECT_THROW(write_evaluation(paper_network(), parameters, {4, {28, 28, 1}}, 10, 4, Pass{}),
               std::invalid_argument);
  EXPECT_TRUE(parameters.list().empty());
}

}  // namespace
}  // namespace gradflip
