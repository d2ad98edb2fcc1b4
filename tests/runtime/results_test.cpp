// Rows that leave the graph.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "runtime/fusion.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/slice_rows.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"
#include "tests/support/random_graph.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

template <typename Ctx>
class ResultsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(ResultsTest, Backends, BackendNames);

constexpr std::int64_t kWidth = 5;

// Three segments joined, and slices of them.
struct Joined {
  Graph graph;
  std::array<Value, 3> inputs;
  Value all, tail, middle;
};

Joined joined() {
  Joined j;
  std::vector<Value> segments;
  for (int segment = 0; segment < 3; ++segment) {
    const auto index = static_cast<std::size_t>(segment);
    j.inputs[index] = j.graph.external("x", {Dtype::kF32, {kWidth}, segment_rows(segment)});
    segments.push_back(ops::relu(j.graph, j.inputs[index]));
  }
  j.all = ops::concat_rows(j.graph, segments);
  j.tail = ops::slice_rows(j.graph, j.all, segment_rows(1) | segment_rows(2));
  j.middle = ops::slice_rows(j.graph, j.tail, segment_rows(1));
  for (const Value result : {j.all, j.tail, j.middle}) j.graph.mark_result(result);
  return j;
}

std::vector<float> activated(const std::vector<float>& x) {
  std::vector<float> y;
  for (const float value : x) y.push_back(std::max(value, 0.0F));
  return y;
}

TYPED_TEST(ResultsTest, HoldTheRowsOfTheBatchSegmentAfterSegment) {
  const Joined j = joined();
  for (const std::vector<std::int64_t>& rows :
       std::vector<std::vector<std::int64_t>>{{70, 1, 41}, {3, 0, 200}, {0, 400, 300}, {0, 0, 0}}) {
    for (const int threads : {1, 3}) {
      GraphRunner runner(j.graph, rows, threads, {}, this->ctx());
      runner.bind_results();
      std::array<std::vector<float>, 3> y;
      for (std::size_t segment = 0; segment < 3; ++segment) {
        const std::vector<float> x = random_floats(rows[segment] * kWidth, segment);
        y[segment] = activated(x);
        runner.bind(j.inputs[segment], x.empty() ? std::vector<float>(1) : x);
      }
      runner.run(2);
      std::vector<float> tail = y[1];
      tail.insert(tail.end(), y[2].begin(), y[2].end());
      std::vector<float> all = y[0];
      all.insert(all.end(), tail.begin(), tail.end());
      EXPECT_EQ(runner.read_rows(j.all), all);
      EXPECT_EQ(runner.read_rows(j.tail), tail);
      EXPECT_EQ(runner.read_rows(j.middle), y[1]);
    }
  }
}

// As an evaluation's last batch.
TYPED_TEST(ResultsTest, OfFewerRowsThanPlannedForAreDense) {
  const Joined j = joined();
  GraphRunner runner(j.graph, {100, 100, 100}, 2, {}, this->ctx());
  runner.bind_results();
  for (const Value input : j.inputs) runner.bind(input, std::vector<float>(500, 1.0F));
  const std::vector<std::int64_t> rows{40, 7, 3};
  runner.executor().run(rows);
  const std::vector<float> all = runner.read_rows(j.all);
  for (std::size_t i = 0; i < 50 * kWidth; ++i) ASSERT_EQ(all[i], 1.0F) << i;
  EXPECT_TRUE(std::isnan(all[50 * kWidth]));
}

// Indices of winners are whole numbers.
TYPED_TEST(ResultsTest, AreBytesOfAnyType) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {2, 2, 1}, segment_rows(0)});
  ops::max_pool2d(graph, x, {2, 2, 2, 2});
  const Value winners = graph.nodes()[0].outputs[1];
  graph.mark_result(winners);
  GraphRunner runner(graph, {3}, 1, {}, this->ctx());
  runner.bind(x, std::vector<float>{1, 2, 3, 4, 4, 3, 2, 1, 1, 1, 4, 1});
  Buffer memory(this->ctx(), 3 * sizeof(std::int32_t));
  runner.executor().bind_result(winners, memory.data());
  runner.run();
  std::array<std::int32_t, 3> got{};
  copy_to_host(this->ctx(), got.data(), memory.data(), memory.bytes());
  EXPECT_EQ(got, (std::array<std::int32_t, 3>{3, 0, 2}));
}

TYPED_TEST(ResultsTest, HaveToBeBoundAndComputed) {
  Joined j = joined();
  EXPECT_THAT([&] { j.graph.mark_result(j.inputs[0]); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("no node computes it")));
  const Value sum = sum_all(j.graph, j.all);
  j.graph.mark_result(sum);
  GraphRunner runner(j.graph, {4, 4, 4}, 1, {}, this->ctx());
  for (const Value input : j.inputs) runner.bind(input, std::vector<float>(20, 1.0F));
  EXPECT_THAT([&] { runner.run(); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("concat_rows is not bound")));
  for (const Value other : {j.inputs[0], sum}) {
    EXPECT_THAT([&] { runner.executor().bind_result(other, nullptr); },
                ThrowsMessage<std::invalid_argument>(HasSubstr("is not a result with rows")));
  }
}

TYPED_TEST(ResultsTest, BindingAnewReachesTheNextSteps) {
  const Joined j = joined();
  GraphRunner runner(j.graph, {2, 1, 1}, 1, {}, this->ctx());
  for (const float value : {1.0F, 2.0F}) {
    for (const Value input : j.inputs) runner.bind(input, std::vector<float>(20, value));
    runner.bind_results();
    runner.run(20);
    EXPECT_EQ(runner.read_rows(j.all), std::vector<float>(20, value));
  }
}

// Without rows: the first of two large sums, whose place the second would take.
TYPED_TEST(ResultsTest, WithoutRowsCanBeReadAfterARun) {
  constexpr std::int64_t kWide = 40;
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {kWide}, segment_rows(0)});
  const Value sum = graph.append_one(std::make_shared<const SumOfProducts>(), {x, x});
  const Value y = ops::linear(graph, x, sum);
  graph.append(std::make_shared<const SumOfProducts>(), {y, y});
  const auto run = [&](const Graph& run_graph) {
    GraphRunner runner(run_graph, {3}, 1, {}, this->ctx());
    runner.bind(x, std::vector<float>(3 * kWide, 1.0F));
    runner.run();
    return runner.read(sum);
  };
  EXPECT_THAT([&] { run(graph); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("mark it as a result")));
  graph.mark_result(sum);
  EXPECT_EQ(run(graph), std::vector<float>(kWide * kWide, 0.03F));
}

TYPED_TEST(ResultsTest, AreNotAbsorbedByFusion) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {4, 4, 1}, segment_rows(0)});
  const Value filter = graph.parameter(0, "filter", {1, 1, 1, 1});
  const Value bias = graph.parameter(1, "bias", {1});
  const Value biased = ops::bias(graph, ops::conv2d(graph, x, filter), bias);
  ops::max_pool2d(graph, ops::relu(graph, biased), {2, 2, 2, 2});
  EXPECT_EQ(fuse_conv_blocks(graph, {}).graph.count("conv_block"), 1);
  graph.mark_result(biased);
  const Rewritten rewritten = fuse_conv_blocks(graph, {});
  EXPECT_EQ(rewritten.graph.count("conv_block"), 0);
  EXPECT_TRUE(rewritten.graph.info(rewritten(biased)).result);
}

// What a rewrite makes of a result is one; two results that become one value stay two.
TYPED_TEST(ResultsTest, SurviveRewrites) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {kWidth}, segment_rows(0)});
  const Value lambda = graph.external("lambda", {Dtype::kF32, {}, {}});
  const Value activated_x = ops::relu(graph, x);
  const std::array<Value, 3> results{ops::grl(graph, x, lambda), activated_x,
                                     ops::grl(graph, activated_x, lambda)};
  for (const Value result : results) graph.mark_result(result);
  const Rewritten fused = fuse_linear_merges(graph, {});
  EXPECT_EQ(fused.graph.count("grl"), 0);
  GraphRunner runner(fused.graph, {50}, 2, {}, this->ctx());
  const std::vector<float> values = random_floats(50 * kWidth, 1);
  runner.bind(fused(x), values);
  runner.bind(fused(lambda), std::vector<float>{1.0F});
  runner.bind_results();
  runner.run();
  EXPECT_EQ(runner.read_rows(fused(results[0])), values);
  EXPECT_EQ(runner.read_rows(fused(results[1])), activated(values));
  EXPECT_EQ(runner.read_rows(fused(results[2])), activated(values));
}

}  // namespace
}  // namespace gradflip
