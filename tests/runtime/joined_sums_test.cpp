// Gradients of parameters that several nodes read.
#include "runtime/joined_sums.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include "runtime/autodiff.h"
#include "runtime/launch_observer.h"
#include "runtime/memory_plan.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "tests/support/backends.h"
#include "tests/support/gradcheck.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"
#include "tests/support/random_graph.h"

namespace gradflip {
namespace {

template <typename Ctx>
class JoinedSumsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(JoinedSumsTest, Backends, BackendNames);

constexpr std::int64_t kFeatures = 4;

// 0.5 * |W W ... W x|^2 over the batch, in which the weight stands `uses` times.
struct Repeated {
  Graph graph;
  Parameters parameters;
  Value x, loss, dweight;
};

Repeated repeated(int uses) {
  Repeated r;
  r.x = r.graph.external("x", {Dtype::kF32, {kFeatures}, segment_rows(0)});
  r.parameters.add("weight", {kFeatures, kFeatures}, FileLayout::same({kFeatures, kFeatures}),
                   Uniform{1.0F});
  const Value weight = r.graph.parameter(0, "weight", {kFeatures, kFeatures});
  Value y = r.x;
  for (int use = 0; use < uses; ++use) y = ops::linear(r.graph, y, weight);
  r.loss = sum_all(r.graph, ops::multiply(r.graph, y, y), 0.5F);
  r.dweight = gradients_of(r.graph, std::array{r.loss}, std::array{weight})[0];
  r.graph.mark_gradient(r.dweight, 0);
  return r;
}

double loss_of(int uses, std::int64_t rows, const std::vector<float>& x,
               const std::vector<double>& weight) {
  double loss = 0.0;
  for (std::int64_t n = 0; n < rows; ++n) {
    std::array<double, kFeatures> y{};
    for (std::size_t i = 0; i < kFeatures; ++i)
      y[i] = x[static_cast<std::size_t>(n) * kFeatures + i];
    for (int use = 0; use < uses; ++use) {
      const std::array<double, kFeatures> before = y;
      for (std::size_t o = 0; o < kFeatures; ++o) {
        y[o] = 0.0;
        for (std::size_t i = 0; i < kFeatures; ++i) y[o] += weight[o * kFeatures + i] * before[i];
      }
    }
    for (const double element : y) loss += 0.5 * element * element;
  }
  return loss;
}

std::vector<float> gradient_of(const Context& context, int uses, std::int64_t rows, int threads) {
  const Repeated r = repeated(uses);
  GraphRunner runner(r.graph, {rows}, threads, r.parameters, context);
  runner.set_weights(random_floats(kFeatures * kFeatures, 1));
  runner.bind(r.x, std::vector<float>(static_cast<std::size_t>(rows) * kFeatures, std::nanf("")));
  runner.run();
  runner.bind(r.x, random_floats(rows * kFeatures, 2));
  runner.run(2);
  return runner.read(r.dweight);
}

// With one piece for each shard, and with several.
TYPED_TEST(JoinedSumsTest, AreCentralDifferences) {
  for (const int uses : {1, 2, 3, 5}) {
    for (const std::int64_t rows : {1, 70, 700}) {
      const std::vector<float> got = gradient_of(this->ctx(), uses, rows, 2);
      const std::vector<float> weight = random_floats(kFeatures * kFeatures, 1),
                               x = random_floats(rows * kFeatures, 2);
      const auto loss = [&](const std::vector<double>& w) {
        return std::vector<double>{loss_of(uses, rows, x, w)};
      };
      EXPECT_TRUE(gradients_match({got.begin(), got.end()},
                                  central_differences(loss, {weight.begin(), weight.end()}, {1.0}),
                                  1e-5));
    }
  }
}

TYPED_TEST(JoinedSumsTest, AreTheSameBitsForAnyNumberOfThreads) {
  for (const std::int64_t rows : {70, 700}) {
    const std::vector<float> one = gradient_of(this->ctx(), 3, rows, 1);
    for (const int threads : {2, 4, 8}) {
      EXPECT_EQ(gradient_of(this->ctx(), 3, rows, threads), one);
    }
  }
}

class NodesSeen final : public LaunchObserver {
 public:
  void around(int /*worker*/, std::int32_t node, const std::function<void()>& work) override {
    if (node != kReduction) nodes.push_back(node);
    work();
  }
  std::vector<std::int32_t> nodes;
};

TYPED_TEST(JoinedSumsTest, AddNothingInAPassOfItsOwn) {
  const Repeated r = repeated(4);
  EXPECT_EQ(r.graph.count("add"), 3 + 1);  // and the square's two gradients, of rows
  GraphRunner runner(r.graph, {5}, 1, r.parameters, this->ctx());
  runner.bind(r.x, random_floats(5 * kFeatures, 2));
  NodesSeen seen;
  runner.executor().observe(&seen);
  runner.run();
  EXPECT_EQ(seen.nodes.size(), r.graph.nodes().size() - 3);
  const MemoryPlan& plan = runner.executor().plan();
  EXPECT_EQ(plan.phases.size(), 2);
  const Placement& placement = plan.placements[static_cast<std::size_t>(r.dweight.id)];
  EXPECT_EQ(placement.space, Space::kGradients);
  EXPECT_EQ(placement.sum_offset, plan.cut.whole() ? -1 : 0);
  // Its parts are nowhere by themselves.
  const Value part =
      r.graph.nodes()[static_cast<std::size_t>(r.graph.info(r.dweight).producer)].inputs[0];
  EXPECT_THROW(runner.read(part), std::invalid_argument);
}

// Two sums from one launch, which accumulates both or neither.
class TwoSums final : public Op {
 public:
  std::string_view name() const override { return "two_sums"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {2, {Dtype::kF32, inputs[0].shape, {}}};
  }
  void run(const Launch& /*launch*/) const override {}
};

// Of another phase, read by another node, a result, no gradient, one part twice, or written
// together with another sum: they are added as they stand.
TEST(JoinedSumsOnceTest, OnlyPartsThatNothingElseNeeds) {
  const auto is_joined = [](int variant) {
    Graph graph;
    const Value x = graph.external("x", {Dtype::kF32, {kFeatures}, segment_rows(0)});
    const auto sum = [&](Value y) {
      return graph.append_one(std::make_shared<const SumOfRows>(), {y});
    };
    const Value a = sum(x);
    Value b = sum(variant == 1 ? ops::bias(graph, x, sum(x)) : ops::relu(graph, x));
    if (variant == 6) b = graph.append(std::make_shared<const TwoSums>(), {x})[0];
    const Value total = ops::add(graph, a, variant == 5 ? a : b);
    if (variant == 2) ops::relu(graph, b);
    if (variant == 3) graph.mark_result(a);
    if (variant != 4) graph.mark_gradient(total, 0);
    const Phases phases = phases_of(graph);
    return !phases.into[static_cast<std::size_t>(a.id)].none();
  };
  EXPECT_TRUE(is_joined(0));
  for (const int variant : {1, 2, 3, 4, 5, 6}) EXPECT_FALSE(is_joined(variant)) << variant;
}

}  // namespace
}  // namespace gradflip
