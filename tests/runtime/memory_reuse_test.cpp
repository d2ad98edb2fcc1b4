// Memory that is used again, in random graphs of several phases: values that are needed at the same
// time never overlap, and results do not depend on what shares memory with what.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "runtime/memory_plan.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/memory_simulation.h"
#include "tests/support/random_graph.h"

namespace gradflip {
namespace {

template <typename Ctx>
class MemoryReuseTest : public BackendTest<Ctx> {
 protected:
  static constexpr bool kOnCpu = std::is_same_v<Ctx, Cpu>;
};
TYPED_TEST_SUITE(MemoryReuseTest, Backends, BackendNames);

constexpr std::uint32_t kGraphs = 500;

TYPED_TEST(MemoryReuseTest, ValuesNeededAtTheSameTimeNeverOverlap) {
  std::int64_t most_phases = 0, piece_bytes = 0;
  for (std::uint32_t seed = 0; seed < kGraphs; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<std::int64_t> rows{450, 450, 1 + seed % 90};
    const RandomGraph random(seed, rows, 10 + static_cast<int>(seed % 120));
    const MemoryPlan plan = plan_memory(random.graph, random.parameters, this->ctx(), rows);
    ASSERT_EQ(MemorySimulation(random.graph, plan, rows).first_conflict(), "");
    most_phases = std::max(most_phases, static_cast<std::int64_t>(plan.phases.size()));
    piece_bytes += plan.piece_bytes;
  }
  EXPECT_GT(most_phases, 8);
  EXPECT_EQ(piece_bytes == 0, !this->kOnCpu);
}

// A place of its own for every value.
MemoryPlan without_reuse(const Graph& graph, MemoryPlan plan, std::span<const std::int64_t> rows) {
  plan.shared_bytes = plan.worker_bytes = plan.piece_bytes = 0;
  std::int64_t most = 0;
  for (const std::int64_t count : rows) most += count;
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    Placement& placement = plan.placements[static_cast<std::size_t>(id)];
    if (!(placement.shown.root == Value{id})) continue;
    const auto place = [&](std::int64_t& arena) {
      const ValueType& type = graph.type({id});
      placement.offset = arena;
      arena += type.shape.size() * 4 * (type.rows.none() ? 1 : most) + 63;
      arena -= arena % 64;
    };
    if (placement.space == Space::kShared) place(plan.shared_bytes);
    if (placement.space == Space::kWorker) place(plan.worker_bytes);
    if (placement.space == Space::kPiece) place(plan.piece_bytes);
    placement.kept = true;
  }
  return plan;
}

// Results, losses, gradients and whatever else can be read after a step; as bits, among which are
// NaN.
std::vector<std::uint32_t> bits_of_results(const RandomGraph& random, GraphRunner& runner,
                                           const MemoryPlan& plan) {
  std::vector<std::uint32_t> bits;
  const auto add = [&](const std::vector<float>& values) {
    const std::size_t before = bits.size();
    bits.resize(before + values.size());
    std::memcpy(bits.data() + before, values.data(), values.size() * sizeof(float));
  };
  const auto placement = [&](Value value) {
    return plan.placements[static_cast<std::size_t>(value.id)];
  };
  for (std::int32_t id = 0; id < random.graph.num_values(); ++id) {
    const ValueInfo& info = random.graph.info({id});
    if (info.kind != ValueKind::kComputed || !info.type.rows.none()) continue;
    const Placement root = placement(placement({id}).shown.root);
    if (placement({id}).part) continue;
    if (root.space != Space::kShared || root.kept) add(runner.read({id}));
  }
  for (const Value result : random.results) add(runner.read_rows(result));
  return bits;
}

TYPED_TEST(MemoryReuseTest, ResultsAreTheBitsOfMemoryThatIsNeverUsedAgain) {
  std::int64_t finite = 0, all = 0;
  const std::uint32_t graphs = this->kOnCpu ? kGraphs : 6;
  for (std::uint32_t seed = 0; seed < graphs; ++seed) {
    SCOPED_TRACE(seed);
    // One piece for each shard, or, at times, several.
    std::vector<std::int64_t> rows{45, 45, 20};
    if (seed % 25 == 0) rows = {250, 250, 70};
    if (!this->kOnCpu) rows = {5, 5, 2};
    const RandomGraph random(seed, rows, 10 + static_cast<int>(seed % 50));
    const MemoryPlan plan = plan_memory(random.graph, random.parameters, this->ctx(), rows);
    const MemoryPlan roomy = without_reuse(random.graph, plan, rows);
    const auto run = [&](const MemoryPlan& chosen, int threads) {
      GraphRunner runner(random.graph, rows, threads, random.parameters, this->ctx(), chosen);
      runner.bind_results();
      random.bind(runner, std::nanf(""));
      runner.run();  // leaves NaN in all memory
      random.bind(runner);
      runner.run();
      return bits_of_results(random, runner, plan);
    };
    const std::vector<std::uint32_t> want = run(roomy, 1);
    ASSERT_EQ(run(plan, 1 + static_cast<int>(seed % 3)), want);
    for (const std::uint32_t bits : want) finite += (bits & 0x7F800000U) != 0x7F800000U ? 1 : 0;
    all += static_cast<std::int64_t>(want.size());
  }
  EXPECT_GT(static_cast<double>(finite), 0.95 * static_cast<double>(all));
}

}  // namespace
}  // namespace gradflip
