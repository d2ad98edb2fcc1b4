#include "runtime/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/philox.h"
#include "runtime/op.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/relu.h"
#include "runtime/sharding.h"
#include "tests/support/losses.h"

namespace gradflip {
namespace {

// A random graph of elementwise nodes and views over one segment.
Graph random_graph(std::uint32_t seed) {
  Graph graph;
  const ValueType type{Dtype::kF32, {5}, segment_rows(0)};
  const Value lambda = graph.external("lambda", {Dtype::kF32, {}, {}});
  std::vector<Value> values{graph.external("x", type)};
  for (std::uint32_t node = 0; node < 40; ++node) {
    const PhiloxCounter random = philox4x32({node, 0, 0, 0}, {seed, 0});
    const Value a = values[random[0] % values.size()], b = values[random[1] % values.size()];
    switch (random[2] % 4) {
      case 0:
        values.push_back(ops::add(graph, a, b));
        break;
      case 1:
        values.push_back(ops::multiply(graph, a, b));
        break;
      case 2:
        values.push_back(ops::relu(graph, a));
        break;
      default:
        values.push_back(ops::grl(graph, a, lambda));
    }
  }
  sum_all(graph, values.back());
  return graph;
}

// For each value that owns worker memory: the nodes between which it must keep its contents, found
// the slow way.
struct Use {
  std::int64_t begin, end;  // bytes
  std::size_t first, last;  // nodes
};

std::vector<Use> uses_of(const Graph& graph, const MemoryPlan& plan, std::int64_t row_capacity) {
  std::vector<Use> uses;
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const Placement& placement = plan.placements[static_cast<std::size_t>(id)];
    if (placement.space != Space::kWorker || !(placement.root == Value{id})) continue;
    const std::int64_t bytes = row_capacity * graph.type({id}).shape.size() * 4;
    Use use{placement.offset, placement.offset + bytes, graph.nodes().size(), 0};
    for (std::size_t node = 0; node < graph.nodes().size(); ++node) {
      const auto touches = [&](Value value) {
        return plan.placements[static_cast<std::size_t>(value.id)].root == Value{id};
      };
      const Node& n = graph.nodes()[node];
      if (std::any_of(n.inputs.begin(), n.inputs.end(), touches) ||
          std::any_of(n.outputs.begin(), n.outputs.end(), touches)) {
        use.first = std::min(use.first, node);
        use.last = node;
      }
    }
    uses.push_back(use);
  }
  return uses;
}

TEST(MemoryPlanTest, ValuesAliveTogetherNeverOverlap) {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    const Graph graph = random_graph(seed);
    const std::array<std::int64_t, 1> rows{1000};
    const MemoryPlan plan = plan_memory(graph, {}, Cpu{}, rows);
    const std::vector<Use> uses = uses_of(graph, plan, piece_capacity(rows[0], 1, kCpuCut));
    for (std::size_t a = 0; a < uses.size(); ++a) {
      EXPECT_LE(uses[a].end, plan.worker_bytes);
      for (std::size_t b = a + 1; b < uses.size(); ++b) {
        const bool together = uses[a].first <= uses[b].last && uses[b].first <= uses[a].last;
        const bool overlap = uses[a].begin < uses[b].end && uses[b].begin < uses[a].end;
        EXPECT_FALSE(together && overlap);
      }
    }
  }
}

TEST(MemoryPlanTest, ReusesMemoryOfValuesThatAreDone) {
  Graph graph;
  Value x = graph.external("x", {Dtype::kF32, {100}, segment_rows(0)});
  for (int layer = 0; layer < 20; ++layer) x = ops::relu(graph, x);
  const std::array<std::int64_t, 1> rows{16};
  EXPECT_EQ(plan_memory(graph, {}, Cpu{}, rows).worker_bytes, 2 * 16 * 100 * 4);
}

TEST(MemoryPlanTest, TheForwardOfAReversalIsAView) {
  Graph graph;
  const Value x = ops::relu(graph, graph.external("x", {Dtype::kF32, {3}, segment_rows(0)}));
  const Value lambda = graph.external("lambda", {Dtype::kF32, {}, {}});
  const Value y = ops::grl(graph, x, lambda);
  const std::array<std::int64_t, 1> rows{4};
  EXPECT_EQ(plan_memory(graph, {}, Cpu{}, rows).placements[static_cast<std::size_t>(y.id)].root, x);
}

}  // namespace
}  // namespace gradflip
