#include "runtime/memory_plan.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "runtime/op.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/sharding.h"
#include "tests/support/losses.h"
#include "tests/support/random_graph.h"

namespace gradflip {
namespace {

TEST(MemoryPlanTest, ReusesMemoryOfValuesThatAreDone) {
  Graph graph;
  Value x = graph.external("x", {Dtype::kF32, {100}, segment_rows(0)});
  for (int layer = 0; layer < 20; ++layer) x = ops::relu(graph, x);
  const std::array<std::int64_t, 1> rows{16};
  EXPECT_EQ(plan_memory(graph, {}, Cpu{}, rows).worker_bytes, 2 * 16 * 100 * 4);
}

// Sums of products of rows that are larger than kKeptBytes, each of which the next phase reads.
struct Chain {
  Graph graph;
  std::vector<Value> sums, rows;
};

Chain chain_of_phases(int phases) {
  Chain chain;
  Value x = chain.graph.external("x", {Dtype::kF32, {40}, segment_rows(0)});
  for (int phase = 0; phase < phases; ++phase) {
    x = ops::relu(chain.graph, x);
    chain.rows.push_back(x);
    chain.sums.push_back(chain.graph.append_one(std::make_shared<const SumOfProducts>(), {x, x}));
    x = ops::linear(chain.graph, x, chain.sums.back());
  }
  sum_all(chain.graph, x);
  return chain;
}

constexpr std::int64_t kSumBytes = 40 * 40 * 4;

TEST(MemoryPlanTest, SumsThatPhasesAreDoneWithGiveTheirPlaceToLaterOnes) {
  const Chain chain = chain_of_phases(10);
  const std::array<std::int64_t, 1> rows{100};
  const MemoryPlan plan = plan_memory(chain.graph, {}, Cpu{}, rows);
  // A phase reads one while the next is added up behind its end, which may be in the same place.
  EXPECT_EQ(plan.shared_bytes, kSumBytes);
}

TEST(MemoryPlanTest, RowsThatCrossPhasesGiveTheirPlaceToLaterOnes) {
  const Chain chain = chain_of_phases(10);
  const std::array<std::int64_t, 1> rows{100};
  const MemoryPlan plan = plan_memory(chain.graph, {}, Cpu{}, rows);
  const auto space = [&](Value value) {
    return plan.placements[static_cast<std::size_t>(value.id)].space;
  };
  for (const Value x : chain.rows) EXPECT_EQ(space(x), Space::kPiece);
  const std::int64_t bytes = piece_capacity(100, 1, plan.cut) * 40 * 4;
  EXPECT_EQ(plan.sharding.pieces(), 4);
  EXPECT_EQ(plan.piece_bytes, (bytes + 63) / 64 * 64);
}

TEST(MemoryPlanTest, SmallSumsAndResultsAndWhatNoNodeReadsAreKept) {
  const Chain chain = chain_of_phases(2);
  const std::array<std::int64_t, 1> rows{100};
  const MemoryPlan plan = plan_memory(chain.graph, {}, Cpu{}, rows);
  const auto kept = [&](Value value) {
    return plan.placements[static_cast<std::size_t>(value.id)].kept;
  };
  EXPECT_FALSE(kept(chain.sums[0]));
  Graph marked = chain.graph;
  marked.mark_result(chain.sums[0]);
  EXPECT_TRUE(plan_memory(marked, {}, Cpu{}, rows)
                  .placements[static_cast<std::size_t>(chain.sums[0].id)]
                  .kept);
  EXPECT_TRUE(kept(chain.graph.nodes().back().outputs[0]));  // the loss
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {40}, segment_rows(0)});
  const Value unread = graph.append_one(std::make_shared<const SumOfProducts>(), {x, x});
  EXPECT_TRUE(
      plan_memory(graph, {}, Cpu{}, rows).placements[static_cast<std::size_t>(unread.id)].kept);
}

TEST(MemoryPlanTest, TheForwardOfAReversalIsAView) {
  Graph graph;
  const Value x = ops::relu(graph, graph.external("x", {Dtype::kF32, {3}, segment_rows(0)}));
  const Value lambda = graph.external("lambda", {Dtype::kF32, {}, {}});
  const Value y = ops::grl(graph, x, lambda);
  const std::array<std::int64_t, 1> rows{4};
  EXPECT_EQ(
      plan_memory(graph, {}, Cpu{}, rows).placements[static_cast<std::size_t>(y.id)].shown.root, x);
}

}  // namespace
}  // namespace gradflip
