#include "tests/support/op_gradients.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "runtime/ops/instance_norm.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/mean_pool2d.h"
#include "runtime/ops/outer_product.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/softmax.h"
#include "tests/support/backends.h"
#include "tests/support/reference/instance_norm.h"
#include "tests/support/reference/max_pool2d.h"
#include "tests/support/reference/mean_pool2d.h"
#include "tests/support/reference/outer_product.h"
#include "tests/support/reference/relu.h"
#include "tests/support/reference/softmax.h"

namespace gradflip {
namespace {

using Doubles = std::vector<double>;
using Values = std::vector<Value>;

// y = op(x), element by element, of rows x (7).
OpUnderTest elementwise_op(std::string name, Value (*build)(Graph&, Value),
                           const std::function<double(double)>& function, float scale = 1.0F,
                           float shift = 0.0F) {
  return {.name = std::move(name),
          .inputs = {{7}},
          .build = [build](Graph& graph, const Values& x) { return build(graph, x[0]); },
          .of_rows =
              [function](const std::vector<Doubles>& x) {
                Doubles y;
                for (const double number : x[0]) y.push_back(function(number));
                return y;
              },
          .scale = scale,
          .shift = shift};
}

template <typename Ctx>
class OpGradientsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(OpGradientsTest, Backends, BackendNames);

TYPED_TEST(OpGradientsTest, OfRectifiers) {
  const auto with = [](const Rectifier& rectifier) {
    return [rectifier](double x) { return reference::relu_forward({x}, rectifier)[0]; };
  };
  const auto leaky = [](Graph& graph, Value x) { return ops::leaky_relu(graph, x, 0.1F); };
  OpGradients(elementwise_op("relu", ops::relu, with({}))).check(this->ctx());
  OpGradients(elementwise_op("leaky_relu", leaky, with({.slope = 0.1F}))).check(this->ctx());
  OpGradients(elementwise_op("relu6", ops::relu6, with({.cap = 6.0F}), 8.0F)).check(this->ctx());
}

TYPED_TEST(OpGradientsTest, OfFunctionsOfOneNumber) {
  const auto of = [this](const OpUnderTest& op) { OpGradients(op).check(this->ctx()); };
  of(elementwise_op("exp", ops::exp, [](double x) { return std::exp(x); }));
  of(elementwise_op(
      "log", ops::log, [](double x) { return std::log(x); }, 1.0F, 2.0F));
  of(elementwise_op(
      "sqrt", ops::sqrt, [](double x) { return std::sqrt(x); }, 1.0F, 2.0F));
  of(elementwise_op("square", ops::square, [](double x) { return x * x; }));
  of(elementwise_op(
      "sigmoid", ops::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 3));
  of(elementwise_op(
      "tanh", ops::tanh, [](double x) { return std::tanh(x); }, 2.0F));
  of(elementwise_op(
      "softplus", ops::softplus, [](double x) { return std::log1p(std::exp(x)); }, 3.0F));
  of(elementwise_op("abs", ops::abs, [](double x) { return std::abs(x); }));
  of(elementwise_op("sign", ops::sign, [](double x) { return x < 0 ? -1.0 : 1.0; }));
}

// y = op(x) of rows x (4).
OpUnderTest rows_op(std::string name, Value (*build)(Graph&, Value),
                    const std::function<Doubles(const Doubles&)>& of_rows) {
  return {.name = std::move(name),
          .inputs = {{4}},
          .build = [build](Graph& graph, const Values& x) { return build(graph, x[0]); },
          .of_rows = [of_rows](const std::vector<Doubles>& x) { return of_rows(x[0]); },
          .scale = 2.0F};
}

Doubles entropies(const Doubles& logits) {
  const Doubles log_probs = reference::log_softmax(4, logits).value;
  Doubles sums(logits.size() / 4);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    sums[i / 4] -= std::exp(log_probs[i]) * log_probs[i];
  }
  return sums;
}

TYPED_TEST(OpGradientsTest, OfSoftmax) {
  const auto of = [this](const OpUnderTest& op) { OpGradients(op).check(this->ctx()); };
  of(rows_op("softmax", ops::softmax,
             [](const Doubles& x) { return reference::softmax(4, x).value; }));
  of(rows_op("log_softmax", ops::log_softmax,
             [](const Doubles& x) { return reference::log_softmax(4, x).value; }));
  of(rows_op("entropy", ops::entropy, entropies));
}

// What is certain, by whatever gap, has none, and so has its gradient.
TYPED_TEST(OpGradientsTest, EntropyOfCertainRowsIsZero) {
  Graph graph;
  const Value logits = graph.external("logits", {Dtype::kF32, {3}, segment_rows(0)});
  const Value entropies = ops::entropy(graph, logits);
  const Value loss = sum_all(graph, entropies);
  const Value gradient = gradient_of(graph, loss, logits);
  graph.mark_result(entropies);
  graph.mark_result(gradient);
  GraphRunner runner(graph, {3}, 1, {}, this->ctx());
  runner.bind(logits, std::vector<float>{-3e38F, 3e38F, 0, 0, -200, 0, 0, -1e4F, -1e4F});
  runner.bind_results();
  runner.run();
  const std::vector<float> got = runner.read_rows(entropies);
  EXPECT_EQ(got[0], 0.0F);
  EXPECT_NEAR(got[1], std::log(2.0), 1e-6);
  EXPECT_EQ(got[2], 0.0F);
  for (const float d : runner.read_rows(gradient)) EXPECT_NEAR(d, 0.0F, 1e-6);
}

// y = op(x) of pictures of 5 x 4 and two channels.
OpUnderTest picture_op(std::string name, const std::function<Value(Graph&, Value)>& build,
                       const std::function<Doubles(const Doubles&)>& of_pictures) {
  return {.name = std::move(name),
          .inputs = {{5, 4, 2}},
          .build = [build](Graph& graph, const Values& x) { return build(graph, x[0]); },
          .of_rows = [of_pictures](const std::vector<Doubles>& x) { return of_pictures(x[0]); }};
}

TYPED_TEST(OpGradientsTest, OfPools) {
  const ops::Pool2dGeometry geometry{3, 2, 2, 1, 1, 1};
  const Pool2dShape shape = ops::pool_shape(geometry, OpGradients::kRows, {5, 4, 2});
  const Pool2dShape whole = ops::pool_shape({5, 4, 5, 4}, OpGradients::kRows, {5, 4, 2});
  const auto of = [this](const OpUnderTest& op) { OpGradients(op).check(this->ctx()); };
  of(picture_op(
      "max_pool2d", [&](Graph& graph, Value x) { return ops::max_pool2d(graph, x, geometry); },
      [&](const Doubles& x) { return reference::max_pool2d_forward(shape, x).y; }));
  of(picture_op(
      "mean_pool2d", [&](Graph& graph, Value x) { return ops::mean_pool2d(graph, x, geometry); },
      [&](const Doubles& x) { return reference::mean_pool2d_forward(shape, x).value; }));
  of(picture_op("global_mean_pool2d", ops::global_mean_pool2d,
                [&](const Doubles& x) { return reference::mean_pool2d_forward(whole, x).value; }));
}

// Two poolings, so that a second derivative goes through what the second rules make.
TYPED_TEST(OpGradientsTest, OfPoolsOfPools) {
  OpGradients(picture_op(
                  "pools of squares",
                  [](Graph& graph, Value x) {
                    const Value y = ops::square(graph, ops::max_pool2d(graph, x));
                    return ops::square(graph, ops::mean_pool2d(graph, y, {2, 2, 1, 1}));
                  },
                  [](const Doubles& x) {
                    const Pool2dShape first{.N = OpGradients::kRows, .H = 5, .W = 4, .C = 2};
                    Pool2dShape second{.N = OpGradients::kRows, .H = 2, .W = 2, .C = 2};
                    second.stride_h = second.stride_w = 1;
                    Doubles y = reference::max_pool2d_forward(first, x).y;
                    for (double& number : y) number *= number;
                    y = reference::mean_pool2d_forward(second, y).value;
                    for (double& number : y) number *= number;
                    return y;
                  }))
      .check(this->ctx());
}

TYPED_TEST(OpGradientsTest, OfOuterProducts) {
  constexpr OuterProductShape kShape{OpGradients::kRows, 3, 4};
  OpGradients(
      {.name = "outer_product",
       .inputs = {{3}, {4}},
       .build = [](Graph& graph, const Values& x) { return ops::outer_product(graph, x[0], x[1]); },
       .of_rows =
           [&](const std::vector<Doubles>& x) {
             return reference::outer_product_forward(kShape, x[0], x[1]);
           }})
      .check(this->ctx());
  // One value on both sides.
  OpGradients({.name = "outer_product with itself",
               .inputs = {{4}},
               .build =
                   [](Graph& graph, const Values& x) {
                     const Value y = ops::outer_product(graph, x[0], ops::square(graph, x[0]));
                     return ops::square(graph, y);
                   },
               .of_rows =
                   [&](const std::vector<Doubles>& x) {
                     Doubles squares(x[0]);
                     for (double& number : squares) number *= number;
                     Doubles y = reference::outer_product_forward({OpGradients::kRows, 4, 4}, x[0],
                                                                  squares);
                     for (double& number : y) number *= number;
                     return y;
                   }})
      .check(this->ctx());
}

TYPED_TEST(OpGradientsTest, OfInstanceNorm) {
  OpGradients(picture_op(
                  "instance_norm",
                  [](Graph& graph, Value x) { return ops::instance_norm(graph, x, 0.1F); },
                  [](const Doubles& x) {
                    const InstanceNormShape shape{OpGradients::kRows, 20, 2, 0.1F};
                    return reference::instance_norm_forward(shape, x).y;
                  }))
      .check(this->ctx());
}

}  // namespace
}  // namespace gradflip
