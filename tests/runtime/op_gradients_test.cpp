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

}  // namespace
}  // namespace gradflip
