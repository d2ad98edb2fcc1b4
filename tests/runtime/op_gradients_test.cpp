#include "tests/support/op_gradients.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "runtime/ops/relu.h"
#include "tests/support/backends.h"
#include "tests/support/reference/relu.h"

namespace gradflip {
namespace {

using Doubles = std::vector<double>;
using Values = std::vector<Value>;

// y = op(x), element by element, of rows x (7).
OpUnderTest elementwise_op(std::string name, Value (*build)(Graph&, Value),
                           std::function<double(double)> function, float scale = 1.0F,
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

}  // namespace
}  // namespace gradflip
