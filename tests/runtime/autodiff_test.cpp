#include "runtime/autodiff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/stop_gradient.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"

namespace gradflip {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

template <typename Ctx>
class GradientTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(GradientTest, Backends, BackendNames);

constexpr ValueType kScalar{Dtype::kF32, {}, {}};
const ValueType kScalarRows{Dtype::kF32, {}, segment_rows(0)};

// Sums the elements of a value with rows (rows x ()) into a weight gradient-like scalar, so that
// tests can read gradients of inputs row by row: x^T 1 with an identity matrix.
std::vector<float> rows_of(const Context& context, const Graph& built, Value value,
                           const std::vector<std::vector<float>>& inputs,
                           const std::vector<Value>& externals) {
  // A gradient with rows lives in a worker's arena; multiplying it with one-hot rows and summing
  // reads it out.
  const auto rows = static_cast<std::int64_t>(inputs.front().size());
  std::vector<float> result;
  for (std::int64_t row = 0; row < rows; ++row) {
    Graph graph = built;
    const Value one_hot = graph.external("one hot", kScalarRows);
    const Value sum = sum_all(graph, ops::multiply(graph, value, one_hot));
    GraphRunner runner(graph, {rows}, 1, {}, context);
    for (std::size_t i = 0; i < externals.size(); ++i) runner.bind(externals[i], inputs[i]);
    std::vector<float> selector(static_cast<std::size_t>(rows), 0.0F);
    selector[static_cast<std::size_t>(row)] = 1.0F;
    runner.bind(one_hot, selector);
    runner.run();
    result.push_back(runner.read(sum)[0]);
  }
  return result;
}

struct Example {
  Graph graph;
  Value x, y, lambda, s, dx, dy;
};

// x and y go through the reversal; s = 6 * sum(x^2 + y^2 + x + y).
Example reversed_example() {
  Example e;
  Graph& graph = e.graph;
  e.x = graph.external("x", kScalarRows);
  e.y = graph.external("y", kScalarRows);
  e.lambda = graph.external("lambda", kScalar);
  const Value x = ops::grl(graph, e.x, e.lambda), y = ops::grl(graph, e.y, e.lambda);
  const Value z = ops::add(graph, ops::multiply(graph, x, x), ops::multiply(graph, y, y));
  e.s = sum_all(graph, ops::add(graph, ops::add(graph, z, x), y), 6.0F);
  const std::array<Value, 1> losses{e.s};
  const std::array<Value, 2> wrt{e.x, e.y};
  const std::vector<Value> gradients = gradients_of(graph, losses, wrt);
  e.dx = gradients[0];
  e.dy = gradients[1];
  return e;
}

TYPED_TEST(GradientTest, ReversesTheGradientOfTheSeedExample) {
  const Example e = reversed_example();
  const std::vector<Value> externals{e.x, e.y, e.lambda};
  const std::vector<std::vector<float>> inputs{{1, 2, 3}, {4, 5, 6}, {1}};
  GraphRunner runner(e.graph, {3}, 1, {}, this->ctx());
  for (std::size_t i = 0; i < externals.size(); ++i) runner.bind(externals[i], inputs[i]);
  runner.run();
  EXPECT_EQ(runner.read(e.s)[0], 672.0F);
  EXPECT_THAT(rows_of(this->ctx(), e.graph, e.dx, inputs, externals), ElementsAre(-18, -30, -42));
  EXPECT_THAT(rows_of(this->ctx(), e.graph, e.dy, inputs, externals), ElementsAre(-54, -66, -78));
}

TYPED_TEST(GradientTest, ScalesTheReversalByLambda) {
  const Example e = reversed_example();
  const std::vector<Value> externals{e.x, e.y, e.lambda};
  EXPECT_THAT(rows_of(this->ctx(), e.graph, e.dx, {{1, 2, 3}, {4, 5, 6}, {0.5F}}, externals),
              ElementsAre(-9, -15, -21));
  EXPECT_THAT(rows_of(this->ctx(), e.graph, e.dx, {{1, 2, 3}, {4, 5, 6}, {0}}, externals),
              ElementsAre(0, 0, 0));
}

TEST(AutodiffTest, MakesNoNodeForValuesThatNeedNoGradient) {
  Graph graph;
  Parameters parameters;
  const Value x = graph.external("x", {Dtype::kF32, {3}, segment_rows(0)});
  const Value weight = graph.parameter(0, "weight", {2, 3});
  const Value loss = sum_all(graph, ops::linear(graph, x, weight));
  const std::array<Value, 1> losses{loss}, wrt{weight};
  gradients_of(graph, losses, wrt);
  EXPECT_EQ(graph.count("linear_backward_weight"), 1);
  EXPECT_EQ(graph.count("linear_backward_data"), 0);
}

TEST(AutodiffTest, ACopyOfTheWeightsHasNoGradient) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {3}, segment_rows(0)});
  const Value weight = graph.parameter(0, "weight", {2, 3});
  const Value copy = graph.parameter(0, "weight", {2, 3}, /*bank=*/1);
  const Value y = ops::add(graph, ops::linear(graph, x, weight), ops::linear(graph, x, copy));
  const std::array<Value, 1> losses{sum_all(graph, y)};
  EXPECT_THAT([&] { gradients_of(graph, losses, std::array<Value, 1>{copy}); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("weight is of bank 1")));
  EXPECT_FALSE(gradients_of(graph, losses, std::array<Value, 1>{weight})[0].none());
  EXPECT_EQ(graph.count("linear_backward_weight"), 1);
}

TEST(AutodiffTest, StopsAtStopGradient) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {3}, segment_rows(0)});
  const Value weight = graph.parameter(0, "weight", {2, 3});
  const Value stopped = ops::stop_gradient(graph, ops::linear(graph, x, weight));
  const Value loss = sum_all(graph, stopped);
  const std::array<Value, 1> losses{loss}, wrt{weight};
  const std::size_t nodes = graph.nodes().size();
  EXPECT_TRUE(gradients_of(graph, losses, wrt)[0].none());
  EXPECT_EQ(graph.nodes().size(), nodes);
}

TYPED_TEST(GradientTest, AddsTheGradientsOfAParameterThatIsUsedTwice) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {2}, segment_rows(0)});
  const Value weight = graph.parameter(0, "weight", {2, 2});
  const Value once = ops::linear(graph, x, weight);
  const Value loss = sum_all(graph, ops::linear(graph, once, weight));
  const std::array<Value, 1> losses{loss}, wrt{weight};
  const Value dweight = gradients_of(graph, losses, wrt)[0];
  EXPECT_EQ(graph.count("add"), 1);

  Parameters parameters;
  parameters.add("weight", {2, 2}, FileLayout::same({2, 2}), Uniform{1.0F});
  graph.mark_gradient(dweight, 0);
  GraphRunner runner(graph, {1}, 1, parameters, this->ctx());
  runner.set_weights({2, 3, 5, 7});
  runner.bind(x, std::vector<float>{1, 10});
  runner.run();
  // y = W (W x): dW = 1 (W x)^T + (W^T 1) x^T, with W x = (32, 75) and W^T 1 = (7, 10).
  EXPECT_THAT(runner.read(dweight), ElementsAre(32 + 7, 75 + 70, 32 + 10, 75 + 100));
}

TYPED_TEST(GradientTest, PlacesTheGradientOfASliceAmongZeros) {
  Graph graph;
  const Rows both = segment_rows(0) | segment_rows(1);
  const Value source = graph.external("source", kScalarRows);
  const Value target = graph.external("target", {Dtype::kF32, {}, segment_rows(1)});
  const Value x =
      ops::add(graph, ops::place_rows(graph, source, both), ops::place_rows(graph, target, both));
  const Value loss =
      sum_all(graph, ops::multiply(graph, ops::slice_rows(graph, x, segment_rows(1)), target));
  const std::array<Value, 1> losses{loss};
  const std::array<Value, 2> wrt{x, target};
  const std::vector<Value> dx = gradients_of(graph, losses, wrt);
  // The loss is sum(target^2): read sum(dx * x) = sum(target^2) and sum(dtarget * target) = 2
  // sum(target^2).
  const Value through_x = sum_all(graph, ops::multiply(graph, dx[0], x));
  const Value through_target = sum_all(graph, ops::multiply(graph, dx[1], target));
  GraphRunner runner(graph, {2, 3}, 1, {}, this->ctx());
  runner.bind(source, std::vector<float>{100, 200});
  runner.bind(target, std::vector<float>{1, 2, 3});
  runner.run();
  EXPECT_EQ(runner.read(loss)[0], 14.0F);
  EXPECT_EQ(runner.read(through_x)[0], 14.0F);
  EXPECT_EQ(runner.read(through_target)[0], 28.0F);
}

TEST(AutodiffTest, RefusesRowsWithoutAGradient) {
  Graph graph;
  const Value x = graph.external("x", kScalarRows);
  const Value y = ops::relu(graph, x);
  const std::array<Value, 1> losses{y}, wrt{x};
  EXPECT_THROW(gradients_of(graph, losses, wrt), std::invalid_argument);
}

TEST(AutodiffTest, RefusesAGradientOfAnotherType) {
  Graph graph;
  const Value x = graph.external("x", kScalarRows);
  const Value y = ops::relu(graph, x);
  const Seed seed{y, graph.external("dy", {Dtype::kF32, {2}, segment_rows(0)})};
  EXPECT_THROW(gradients(graph, std::span(&seed, 1), std::span(&x, 1)), std::invalid_argument);
}

// <dy, y> with dy given row by row, and the same value named twice.
TYPED_TEST(GradientTest, StartsFromWhatArrives) {
  Graph graph;
  const Value x = graph.external("x", kScalarRows);
  const Value dy = graph.external("dy", kScalarRows);
  const Value y = ops::square(graph, x);
  const std::array<Seed, 2> seeds{{{y, dy}, {y, dy}}};
  const Value dx = gradients(graph, seeds, std::span(&x, 1))[0];
  EXPECT_THAT(rows_of(this->ctx(), graph, dx, {{1, 2, 3}, {1, 10, 100}}, {x, dy}),
              ElementsAre(4, 80, 1200));
}

TEST(AutodiffTest, LossesOfOneOperationAreSeedsTogether) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {2}, segment_rows(0)});
  const Value labels = graph.external("labels", {Dtype::kI32, {}, segment_rows(0)});
  const Value loss = weighed_softmax(graph, x, labels);
  const Seed weighed{loss, ops::constant(graph, kScalar, 0.5F)};
  EXPECT_THROW(gradients(graph, std::span(&weighed, 1), std::span(&x, 1)), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
