// Dropout in a graph, over segments and shards.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "runtime/autodiff.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"

namespace gradflip {
namespace {

// More rows than a shard has, of each segment.
constexpr std::int64_t kDropSource = 41, kDropTarget = 70, kDropRows = kDropSource + kDropTarget;
const Shape kDropShape{3, 2, 5};
constexpr std::int64_t kDropPixels = 6, kDropChannels = 5;

struct DropoutGraph {
  Graph graph;
  Value step, y, dx;
  std::array<Value, 2> x;

  explicit DropoutGraph(bool channels) {
    step = graph.external("step", {Dtype::kI64, {}, {}});
    for (int segment = 0; segment < 2; ++segment) {
      x[static_cast<std::size_t>(segment)] =
          graph.external("x", {Dtype::kF32, kDropShape, segment_rows(segment)});
    }
    const Value in = ops::concat_rows(graph, x);
    y = ops::dropout(graph, in, step,
                     {.seed = 7, .stream = 3, .probability = 0.4, .channels = channels});
    const Seed seed{ops::sum_rows(graph, ops::sum_features(graph, y))};
    dx = gradients(graph, std::span(&seed, 1), std::span(&in, 1))[0];
    graph.mark_result(y);
    graph.mark_result(dx);
    ops::advance_step(graph, step);
  }

  // Ones go in: y is the mask, twice over.
  std::vector<float> run(const Context& context, int threads, int steps) const {
    GraphRunner runner(graph, {kDropSource, kDropTarget}, threads, {}, context);
    const std::vector<float> ones(static_cast<std::size_t>(kDropRows * kDropShape.size()), 1.0F);
    for (const Value each : x) runner.bind(each, ones);
    runner.bind(step, std::vector<std::int64_t>{0});
    runner.bind_results();
    runner.run(steps);
    EXPECT_EQ(runner.read_rows(y), runner.read_rows(dx));
    return runner.read_rows(y);
  }
};

template <typename Ctx>
class DropoutGraphTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(DropoutGraphTest, Backends, BackendNames);

TYPED_TEST(DropoutGraphTest, DropoutDropsTheSameForAnyNumberOfThreads) {
  const Context context = this->ctx();
  for (const bool channels : {false, true}) {
    const DropoutGraph graph(channels);
    const std::vector<float> mask = graph.run(context, 1, 1);
    EXPECT_EQ(graph.run(context, 4, 1), mask);
    EXPECT_NE(graph.run(context, 1, 2), mask) << "the second step has another mask";
    double kept = 0.0;
    for (const float value : mask) kept += value == 0.0F ? 0.0 : 1.0;
    EXPECT_NEAR(kept / static_cast<double>(mask.size()), 0.6, 0.1);
  }
}

TYPED_TEST(DropoutGraphTest, ChannelsAreDroppedWhole) {
  const std::vector<float> mask = DropoutGraph(true).run(this->ctx(), 2, 1);
  for (std::size_t row = 0; row < kDropRows; ++row) {
    for (std::size_t i = 0; i < kDropPixels * kDropChannels; ++i) {
      const std::size_t first = row * kDropPixels * kDropChannels;
      EXPECT_EQ(mask[first + i], mask[first + i % kDropChannels]) << row;
    }
  }
}

// Beside those of everything else: whatever the number of segments.
TYPED_TEST(DropoutGraphTest, TakesOneLaunch) {
  if (!can_record(this->ctx())) return;
  std::vector<std::int64_t> launches;
  for (const int layers : {1, 2}) {
    DropoutGraph dropout(true);
    Graph& graph = dropout.graph;
    Value y = dropout.y;
    for (int layer = 1; layer < layers; ++layer) {
      y = ops::dropout(graph, y, dropout.step, {.seed = 7, .stream = 4, .probability = 0.4});
    }
    GraphRunner runner(graph, {kDropSource, kDropTarget}, 1, {}, this->ctx());
    for (const Value each : dropout.x) {
      runner.bind(each, std::vector<float>(static_cast<std::size_t>(kDropRows * 30), 1.0F));
    }
    runner.bind(dropout.step, std::vector<std::int64_t>{0});
    runner.bind_results();
    runner.run(2);
    ASSERT_NE(runner.recorded_step(), nullptr);
    launches.push_back(runner.recorded_step()->launches());
  }
  EXPECT_EQ(launches[1], launches[0] + 1);
}

TEST(DropoutOpTest, DropoutRefusesToDropEverything) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {4}, segment_rows(0)});
  const Value step = graph.external("step", {Dtype::kI64, {}, {}});
  EXPECT_THROW(ops::dropout(graph, x, step, {.probability = 1.0}), std::invalid_argument);
  EXPECT_THROW(ops::dropout(graph, step, step, {.probability = 0.5}), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
