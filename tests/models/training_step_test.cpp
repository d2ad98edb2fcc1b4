// Networks of other shapes than the paper's: shared gradients, missing parameters, graphs over
// parameters that have their memory.
#include "models/training_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <list>

#include "models/dann.h"
#include "models/evaluator.h"
#include "models/layers.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/schedule.h"
#include "tests/support/backends.h"
#include "tests/support/losses.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

struct Problem {
  Graph graph;
  Parameters parameters;
  Value x = graph.external("x", {Dtype::kF32, {2}, segment_rows(0)});
  Value step = graph.external("step", {Dtype::kI64, {}, {}});
  Value rate = ops::evaluate_schedule(graph, step, {.start = 0.5});

  Value parameter(const std::string& name, const Shape& shape) {
    const std::int32_t index = parameters.add(name, shape, FileLayout::same(shape), Uniform{0.0F});
    return graph.parameter(index, name, shape);
  }
  TrainingStep train(Value loss) {
    const Term term{"loss", loss};
    return append_training_step(graph, step, std::span(&term, 1), parameters, {}, rate);
  }
};

template <typename Ctx>
class TrainingStepTest : public BackendTest<Ctx> {
 protected:
  // All weights after one step from zero on three rows of ones.
  std::vector<float> weights_after(Problem& problem, const TrainingStep& step) const {
    const Context context = this->ctx();
    Workers workers(1);
    const std::array<std::int64_t, 1> rows{3};
    const TrainingMemory memory(context, problem.parameters, 1);
    Executor executor(problem.graph, problem.parameters, memory.blocks(), context, workers, rows);
    memory.bind(executor, step);
    const std::vector<float> ones(6, 1.0F);
    const Buffer x(context, 24);
    copy_from_host(context, x.data(), ones.data(), 24);
    executor.bind(problem.x, x.data());
    executor.run(rows);
    std::vector<float> flat(static_cast<std::size_t>(problem.parameters.flat_size()));
    copy_to_host(context, flat.data(), memory.blocks().weights.data(),
                 memory.blocks().weights.bytes());
    std::vector<float> values;
    for (const Parameter& parameter : problem.parameters.list()) {
      for (std::int64_t i = 0; i < parameter.shape.size(); ++i) {
        values.push_back(flat[static_cast<std::size_t>(parameter.offset + i)]);
      }
    }
    return values;
  }
};
TYPED_TEST_SUITE(TrainingStepTest, Backends, BackendNames);

// The bias of a layer is a sum of two parameters: one value is the gradient of both.
TYPED_TEST(TrainingStepTest, ParametersMayShareAGradient) {
  Problem p;
  const Value a = p.parameter("a", {2}), b = p.parameter("b", {2});
  const Value y = ops::bias(p.graph, p.x, ops::add(p.graph, a, b));
  const TrainingStep step = p.train(sum_all(p.graph, y));
  EXPECT_EQ(p.graph.count("copy"), 1);
  // Each loses 0.5 times the three rows' gradients of one.
  EXPECT_EQ(this->weights_after(p, step), (std::vector<float>(4, -1.5F)));
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

TYPED_TEST(TrainingStepTest, AGradientMayBeAViewOfAnother) {
  Problem p;
  const Value a = p.parameter("a", {2}), b = p.parameter("b", {2});
  const Value seen = p.graph.append_one(std::make_shared<const ViewOf>(), {a});
  const Value y = ops::bias(p.graph, ops::bias(p.graph, p.x, seen), b);
  const TrainingStep step = p.train(sum_all(p.graph, y));
  EXPECT_EQ(this->weights_after(p, step), (std::vector<float>(4, -1.5F)));
}

TEST(TrainingStepParametersTest, AreThoseOfTheGraphAllOfThem) {
  const auto refuses = [](Problem& p, const char* told) {
    const Value y = ops::bias(p.graph, p.x, p.graph.parameter(0, "a", {2}));
    const Value loss = sum_all(p.graph, y);
    EXPECT_THAT([&] { p.train(loss); }, ThrowsMessage<std::invalid_argument>(HasSubstr(told)));
  };
  const FileLayout layout = FileLayout::same({2});
  Problem missing;
  missing.parameters.add("a", {2}, layout, Uniform{0.0F});
  missing.parameters.add("b", {2}, layout, Uniform{0.0F});
  refuses(missing, "does not use b");
  Problem other;
  other.parameters.add("c", {2}, layout, Uniform{0.0F});
  refuses(other, "parameter a (2) is not number 0");
  Problem none;
  refuses(none, "is not number 0");
  Problem twice;  // as many values as parameters
  twice.parameters.add("a", {2}, layout, Uniform{0.0F});
  twice.parameters.add("b", {2}, layout, Uniform{0.0F});
  twice.graph.parameter(0, "a", {2});
  refuses(twice, "a stands in the graph twice");
}

TEST(NetworkBuilderTest, AddsNoParameterToThoseThatHaveTheirMemory) {
  Parameters parameters;
  Graph training;
  NetworkBuilder declaring(training, parameters);
  const ValueType type{Dtype::kF32, {3}, segment_rows(0)};
  linear(declaring, "label_predictor", training.external("x", type), 2);
  const Parameters& declared = parameters;
  Graph evaluation;
  NetworkBuilder reading(evaluation, declared);
  const Value x = evaluation.external("x", type);
  EXPECT_NO_THROW(linear(reading, "label_predictor", x, 2));
  EXPECT_THAT([&] { linear(reading, "extra", x, 2); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("no parameter extra.weight")));
  EXPECT_THROW(linear(reading, "label_predictor", x, 5), std::invalid_argument);
  EXPECT_EQ(parameters.list().size(), 2U);
}

TEST(EvaluationGraphTest, LeavesTheParametersAsTheyAre) {
  Parameters parameters;
  EXPECT_THROW(build_evaluation_graph(digits_input({0.0F, 0.0F, 0.0F}), {4, {28, 28, 1}}, 10, 4,
                                      Math::kF32, parameters),
               std::invalid_argument);
  EXPECT_TRUE(parameters.list().empty());
}

}  // namespace
}  // namespace gradflip
