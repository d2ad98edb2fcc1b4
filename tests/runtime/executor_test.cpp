#include "runtime/executor.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "runtime/autodiff.h"
#include "runtime/launch_observer.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/record.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/sharding.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

template <typename Ctx>
class ExecutorTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(ExecutorTest, Backends, BackendNames);

const ValueType kRow3{Dtype::kF32, {3}, segment_rows(0)};

// A graph with two sharded phases: the second reads the sum that the first leaves, and a value that
// the first made.
struct TwoPhases {
  Graph graph;
  Parameters parameters;
  Value x, sum, y, z;
};

TwoPhases two_phases() {
  TwoPhases t;
  t.x = t.graph.external("x", kRow3);
  t.parameters.add("weight", {3, 3}, FileLayout::same({3, 3}), Uniform{1.0F});
  const Value weight = t.graph.parameter(0, "weight", {3, 3});
  const Value h = ops::relu(t.graph, ops::linear(t.graph, t.x, weight));
  const Value loss = sum_all(t.graph, h);
  const std::array<Value, 1> losses{loss}, wrt{weight};
  t.sum = gradients_of(t.graph, losses, wrt)[0];  // (3, 3), complete only after all rows
  t.y = sum_all(t.graph, ops::linear(t.graph, h, t.sum));
  t.z = loss;
  return t;
}

std::vector<float> run_two_phases(const Context& context, std::int64_t rows, int threads) {
  const TwoPhases t = two_phases();
  GraphRunner runner(t.graph, {rows}, threads, t.parameters, context);
  runner.set_weights(random_floats(9, 3));
  runner.bind(t.x, random_floats(rows * 3, 4));
  runner.run();
  std::vector<float> results = runner.read(t.sum);
  results.push_back(runner.read(t.y)[0]);
  results.push_back(runner.read(t.z)[0]);
  return results;
}

TYPED_TEST(ExecutorTest, ReadersOfASumSeeTheWholeBatch) {
  const std::int64_t rows = 150;
  const std::vector<float> got = run_two_phases(this->ctx(), rows, 3);
  const std::vector<float> w = random_floats(9, 3), x = random_floats(rows * 3, 4);
  std::array<double, 9> sum{};
  std::vector<double> h(static_cast<std::size_t>(rows) * 3);
  double z = 0.0;
  for (std::size_t n = 0; n < static_cast<std::size_t>(rows); ++n) {
    for (std::size_t o = 0; o < 3; ++o) {
      double dot = 0.0;
      for (std::size_t i = 0; i < 3; ++i) dot += static_cast<double>(x[n * 3 + i]) * w[o * 3 + i];
      h[n * 3 + o] = std::max(0.0, dot);
      z += h[n * 3 + o];
      for (std::size_t i = 0; i < 3; ++i) sum[o * 3 + i] += dot > 0 ? x[n * 3 + i] : 0.0;
    }
  }
  double y = 0.0;
  for (std::size_t n = 0; n < static_cast<std::size_t>(rows); ++n)
    for (std::size_t o = 0; o < 3; ++o)
      for (std::size_t i = 0; i < 3; ++i) y += h[n * 3 + i] * sum[o * 3 + i];
  for (std::size_t i = 0; i < 9; ++i) EXPECT_NEAR(got[i], sum[i], 1e-3);
  EXPECT_NEAR(got[9], y, 1e-4 * std::abs(y) + 1e-2);
  EXPECT_NEAR(got[10], z, 1e-3);
}

TYPED_TEST(ExecutorTest, ResultsAreTheSameBitsForAnyNumberOfThreads) {
  for (const std::int64_t rows : {1, 31, 33, 150, 1200}) {
    SCOPED_TRACE(rows);
    const std::vector<float> one = run_two_phases(this->ctx(), rows, 1);
    for (const int threads : {2, 3, 8}) EXPECT_EQ(run_two_phases(this->ctx(), rows, threads), one);
  }
}

TYPED_TEST(ExecutorTest, TakesFewerRowsThanItPlannedFor) {
  Graph graph;
  const Value x = graph.external("x", kRow3);
  const Value sum = sum_all(graph, x);
  GraphRunner runner(graph, {1000}, 2, {}, this->ctx());
  runner.bind(x, std::vector<float>(3000, 1.0F));
  for (const std::int64_t rows : {1000, 999, 33, 32, 1, 0}) {
    runner.executor().run(std::array{rows});
    EXPECT_EQ(runner.read(sum)[0], static_cast<float>(rows * 3));
  }
  EXPECT_THROW(runner.executor().run(std::array<std::int64_t, 1>{1001}), std::invalid_argument);
  EXPECT_THROW(runner.executor().run(std::array<std::int64_t, 2>{1, 1}), std::invalid_argument);
}

TYPED_TEST(ExecutorTest, RefusesToRunWithAnUnboundValue) {
  Graph graph;
  const Value x = graph.external("pictures", kRow3);
  sum_all(graph, x);
  GraphRunner runner(graph, {4}, 1, {}, this->ctx());
  try {
    runner.run();
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("pictures is not bound"), std::string::npos);
  }
}

TYPED_TEST(ExecutorTest, UpdatesStateAfterEverythingThatReadsIt) {
  Graph graph;
  const Value step = graph.external("step", {Dtype::kI64, {}, {}});
  ops::advance_step(graph, step);  // appended first, runs last
  const Value value = ops::evaluate_schedule(graph, step,
                                             {.kind = Schedule::Kind::kProgressDecay,
                                              .start = 1.0,
                                              .alpha = 1.0,
                                              .beta = 1.0,
                                              .total_steps = 4});
  GraphRunner runner(graph, {1}, 1, {}, this->ctx());
  runner.bind(step, std::vector<std::int64_t>{0});
  for (const double progress : {0.0, 0.25, 0.5}) {
    runner.run();
    EXPECT_FLOAT_EQ(runner.read(value)[0], static_cast<float>(1.0 / (1.0 + progress)));
  }
}

TYPED_TEST(ExecutorTest, SlicesAreViewsOfTheirRowsInEveryPiece) {
  Graph graph;
  const Rows all = segment_rows(0) | segment_rows(1) | segment_rows(2);
  std::array<Value, 3> inputs;
  Value x;
  for (int segment = 0; segment < 3; ++segment) {
    const Value input = graph.external("input", {Dtype::kF32, {2}, segment_rows(segment)});
    inputs[static_cast<std::size_t>(segment)] = input;
    const Value placed = ops::place_rows(graph, input, all);
    x = x.none() ? placed : ops::add(graph, x, placed);
  }
  const Value tail = ops::slice_rows(graph, x, segment_rows(1) | segment_rows(2));
  std::vector<Value> sums;
  sums.push_back(sum_all(graph, ops::slice_rows(graph, x, segment_rows(0))));
  sums.push_back(sum_all(graph, ops::slice_rows(graph, x, segment_rows(1))));
  sums.push_back(sum_all(graph, ops::slice_rows(graph, tail, segment_rows(2))));
  GraphRunner runner(graph, {70, 0, 41}, 2, {}, this->ctx());
  runner.bind(inputs[0], std::vector<float>(140, 1.0F));
  runner.bind(inputs[1], std::vector<float>(1, 7.0F));
  runner.bind(inputs[2], std::vector<float>(82, 100.0F));
  runner.run();
  EXPECT_EQ(runner.read(sums[0])[0], 140.0F);
  EXPECT_EQ(runner.read(sums[1])[0], 0.0F);
  EXPECT_EQ(runner.read(sums[2])[0], 8200.0F);
}

// The weights and a copy of them in one graph: the network and its teacher.
TYPED_TEST(ExecutorTest, ReadsAParameterFromItsBank) {
  const Context context = this->ctx();
  Parameters parameters;
  parameters.add("other", {5}, FileLayout::same({5}), Uniform{1.0F});
  parameters.add("weight", {2, 3}, FileLayout::same({2, 3}), Uniform{1.0F});
  Graph graph;
  const Value x = graph.external("x", kRow3);
  std::vector<Value> sums;
  for (const int bank : {0, 1}) {
    const Value weight = graph.parameter(1, "weight", {2, 3}, bank);
    sums.push_back(sum_all(graph, ops::linear(graph, x, weight)));
  }
  const ParameterBlocks blocks(context, parameters, 2);
  for (const int bank : {0, 1}) {
    const std::vector<float> values(6, bank == 0 ? 1.0F : 10.0F);
    copy_from_host(context, blocks.bank(bank).data() + parameters[1].offset * 4, values.data(), 24);
  }
  const std::vector<float> ones(12, 1.0F);
  const Buffer input(context, 48);
  copy_from_host(context, input.data(), ones.data(), 48);
  Workers workers(2);
  const std::array<std::int64_t, 1> rows{4};
  Executor executor(graph, parameters, blocks, context, workers, rows);
  executor.bind(x, input.data());
  executor.run(rows);
  EXPECT_EQ(executor.read_scalar(sums[0]), 24.0F);
  EXPECT_EQ(executor.read_scalar(sums[1]), 240.0F);
}

// Counts its steps and notes what it saw in each.
struct Counter {
  Graph graph;
  Value step, ring, x;
};

constexpr std::int64_t kRingRows = 40;

Counter counter() {
  Counter c;
  c.step = c.graph.external("step", {Dtype::kI64, {}, {}});
  c.ring = c.graph.external("ring", {Dtype::kF32, {kRingRows, 2}, {}});
  c.x = c.graph.external("x", kRow3);
  const Value sum = sum_all(c.graph, c.x);
  const Value rate = ops::evaluate_schedule(
      c.graph, c.step, {.kind = Schedule::Kind::kStepDecay, .start = 1.0, .beta = 0.5, .gamma = 1});
  const std::array<Value, 2> scalars{sum, rate};
  ops::record(c.graph, c.ring, c.step, scalars);
  ops::advance_step(c.graph, c.step);
  return c;
}

TYPED_TEST(ExecutorTest, StepsInOneGoAreTheSameAsOneByOne) {
  const Counter c = counter();
  std::vector<std::vector<float>> rings;
  for (const std::vector<std::int64_t>& blocks :
       {std::vector<std::int64_t>(kRingRows, 1), {kRingRows}, {17, 1, 2, 20}}) {
    GraphRunner runner(c.graph, {5}, 2, {}, this->ctx());
    runner.bind(c.step, std::vector<std::int64_t>{0});
    Buffer& ring = runner.bind(c.ring, std::vector<float>(kRingRows * 2, -1.0F));
    runner.bind(c.x, random_floats(15, 6));
    for (const std::int64_t steps : blocks) runner.run(steps);
    std::vector<float>& seen = rings.emplace_back(kRingRows * 2);
    copy_to_host(this->ctx(), seen.data(), ring.data(), ring.bytes());
  }
  EXPECT_EQ(rings[1], rings[0]);
  EXPECT_EQ(rings[2], rings[0]);
  for (std::size_t step = 0; step < kRingRows; ++step) {
    EXPECT_FLOAT_EQ(rings[0][2 * step + 1],
                    static_cast<float>(1.0 / std::sqrt(1.0 + static_cast<double>(step))));
  }
}

// A replay must read what is bound now, not what was bound when it was recorded.
TYPED_TEST(ExecutorTest, BindingAnewReachesTheNextSteps) {
  const Counter c = counter();
  GraphRunner runner(c.graph, {2}, 1, {}, this->ctx());
  runner.bind(c.step, std::vector<std::int64_t>{0});
  Buffer& ring = runner.bind(c.ring, std::vector<float>(kRingRows * 2, -1.0F));
  for (const float value : {1.0F, 2.0F}) {
    runner.bind(c.x, std::vector<float>(6, value));
    runner.run(10);
  }
  std::vector<float> seen(kRingRows * 2);
  copy_to_host(this->ctx(), seen.data(), ring.data(), ring.bytes());
  EXPECT_EQ(seen[2 * 9], 6.0F);
  EXPECT_EQ(seen[2 * 10], 12.0F);
  EXPECT_EQ(seen[2 * 19], 12.0F);
}

// Counts what it sees of each node; all on one worker. Does the work twice, recorded and replayed,
// where the context can record.
class CountingObserver final : public LaunchObserver {
 public:
  CountingObserver(const Graph& graph, const Context& context)
      : launches(graph.nodes().size()), context_(context) {}

  void around(int worker, std::int32_t node, const std::function<void()>& work) override {
    EXPECT_EQ(worker, 0);
    if (node != kReduction) ++launches[static_cast<std::size_t>(node)];
    if (!can_record(context_)) {
      work();
      return;
    }
    const std::unique_ptr<Recording> recording = record(context_, work);
    EXPECT_GE(recording->launches(), 1);
    recording->replay();
    recording->replay();
  }

  std::vector<int> launches;  // by node

 private:
  Context context_;
};

TYPED_TEST(ExecutorTest, TellsAnObserverOfEveryLaunchUntilItLeaves) {
  const TwoPhases t = two_phases();
  GraphRunner runner(t.graph, {5}, 1, t.parameters, this->ctx());
  runner.set_weights(random_floats(9, 3));
  runner.bind(t.x, random_floats(5 * 3, 4));
  runner.run(1);
  const std::vector<float> want = runner.read(t.sum);
  CountingObserver observer(t.graph, this->ctx());
  runner.executor().observe(&observer);
  runner.run(3);
  EXPECT_EQ(runner.read(t.sum), want);
  EXPECT_EQ(observer.launches, std::vector<int>(t.graph.nodes().size(), 3));
  runner.executor().observe(nullptr);
  runner.run(3);
  EXPECT_EQ(observer.launches, std::vector<int>(t.graph.nodes().size(), 3));
}

}  // namespace
}  // namespace gradflip
