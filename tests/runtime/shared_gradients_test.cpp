// Parameters whose gradients are one value, and gradients that are views of others.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/ops/bias.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/schedule.h"
#include "runtime/program.h"
#include "tests/support/backends.h"
#include "tests/support/losses.h"

namespace gradflip {
namespace {

struct Problem {
  Draft draft;
  Parameters parameters;
  Value x = draft.graph.external("x", {Dtype::kF32, {2}, segment_rows(0)});

  Value parameter(const std::string& name, const Shape& shape) {
    const std::int32_t index = parameters.add(name, shape, FileLayout::same(shape), Uniform{0.0F});
    return draft.graph.parameter(index, name, shape);
  }
  void minimise(Value loss) {
    draft.step = draft.graph.external("step", {Dtype::kI64, {}, {}});
    draft.objective = {
        .terms = {{"loss", loss}},
        .learning_rate = ops::evaluate_schedule(draft.graph, draft.step, {.start = 0.5})};
  }
};

template <typename Ctx>
class SharedGradientsTest : public BackendTest<Ctx> {
 protected:
  // All weights after one step from zero on three rows of ones.
  std::vector<float> weights_after(Problem& problem) const {
    const Context context = this->ctx();
    Workers workers(1);
    const std::array<std::int64_t, 1> rows{3};
    const State state(context, problem.parameters, 1, std::array{updated_group(problem.draft)});
    Program program(problem.draft, problem.parameters, state, context, workers, rows);
    const std::vector<float> ones(6, 1.0F);
    const Buffer x(context, 24);
    copy_from_host(context, x.data(), ones.data(), 24);
    program.bind(problem.x, x.data());
    program.executor().run(rows);
    std::vector<float> flat(static_cast<std::size_t>(problem.parameters.flat_size()));
    const Buffer& weights = state.parameter_blocks().weights;
    copy_to_host(context, flat.data(), weights.data(), weights.bytes());
    std::vector<float> values;
    for (const Parameter& parameter : problem.parameters.list()) {
      for (std::int64_t i = 0; i < parameter.shape.size(); ++i) {
        values.push_back(flat[static_cast<std::size_t>(parameter.offset + i)]);
      }
    }
    return values;
  }
};
TYPED_TEST_SUITE(SharedGradientsTest, Backends, BackendNames);

// The bias of a layer is a sum of two parameters: one value is the gradient of both.
TYPED_TEST(SharedGradientsTest, ParametersMayShareAGradient) {
  Problem p;
  Graph& graph = p.draft.graph;
  const Value a = p.parameter("a", {2}), b = p.parameter("b", {2});
  p.minimise(sum_all(graph, ops::bias(graph, p.x, ops::add(graph, a, b))));
  EXPECT_EQ(compile(p.draft, p.parameters, {}).graph.count("copy"), 1);
  // Each loses 0.5 times the three rows' gradients of one.
  EXPECT_EQ(this->weights_after(p), (std::vector<float>(4, -1.5F)));
}

// An operation on one tensor whose gradient rule hands out a view.
class ViewOf final : public Op {
 public:
  std::string_view name() const override { return "view_of"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }
  std::optional<View> view() const override { return View{0}; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }
  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {request.graph.append_one(std::make_shared<const ViewOf>(), {request.doutputs[0]})};
  }
  void run(const Launch& /*launch*/) const override {}
};

TYPED_TEST(SharedGradientsTest, AGradientMayBeAViewOfAnother) {
  Problem p;
  Graph& graph = p.draft.graph;
  const Value a = p.parameter("a", {2}), b = p.parameter("b", {2});
  const Value seen = graph.append_one(std::make_shared<const ViewOf>(), {a});
  p.minimise(sum_all(graph, ops::bias(graph, ops::bias(graph, p.x, seen), b)));
  EXPECT_EQ(this->weights_after(p), (std::vector<float>(4, -1.5F)));
}

}  // namespace
}  // namespace gradflip
