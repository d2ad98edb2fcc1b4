// An operation without a gradient rule must not count as a constant: a training would go wrong
// without a word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "runtime/autodiff.h"
#include "runtime/op.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/stop_gradient.h"
#include "tests/support/losses.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

// What somebody writes first of an operation of his own.
class Square final : public Op {
 public:
  explicit Square(bool constant) : constant_(constant) {}
  std::string_view name() const override { return "square"; }
  Gradient gradient_kind() const override {
    return constant_ ? Gradient::kConstant : Op::gradient_kind();
  }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }
  void run(const Launch& /*launch*/) const override {}

 private:
  bool constant_;
};

auto no_rule(const char* op) {
  return ThrowsMessage<std::invalid_argument>(
      AllOf(HasSubstr(std::string(op) + " has no gradient rule"), HasSubstr("stop_gradient")));
}

struct Example {
  Graph graph;
  Value x = graph.external("x", {Dtype::kF32, {3}, segment_rows(0)});
  Value weight = graph.parameter(0, "weight", {1, 3});
  Value y = ops::linear(graph, x, weight);

  Value gradient_of(Value loss, Value wrt) { return gradflip::gradient_of(graph, loss, wrt); }
  Value squared(Value value, bool constant = false) {
    return graph.append_one(std::make_shared<const Square>(constant), {value});
  }
  Value sum(Value value) { return sum_all(graph, value); }
  Value sum_of_row(Value value) { return ops::sum_features(graph, value); }
};

TEST(GradientRulesTest, AnOperationWithoutARuleIsNamed) {
  Example e;
  const Value loss = e.sum(e.squared(e.y));
  EXPECT_THAT([&] { e.gradient_of(loss, e.weight); }, no_rule("square"));
}

TEST(GradientRulesTest, ItMayStandWhereNoGradientPasses) {
  Example e;
  e.squared(e.y);  // no loss reads it
  const Value loss =
      e.sum(ops::multiply(e.graph, e.y, ops::stop_gradient(e.graph, e.squared(e.y))));
  EXPECT_FALSE(e.gradient_of(loss, e.weight).none());
  const Value of_data = e.sum(e.squared(e.x));  // reads nothing that is asked for
  EXPECT_TRUE(e.gradient_of(of_data, e.weight).none());
}

TEST(GradientRulesTest, AConstantIsDeclaredAsSuch) {
  Example e;
  EXPECT_TRUE(e.gradient_of(e.sum(e.squared(e.y, /*constant=*/true)), e.weight).none());
  EXPECT_TRUE(e.gradient_of(e.sum(ops::stop_gradient(e.graph, e.y)), e.weight).none());
}

// What is shown of smoothed labels is no loss.
TEST(GradientRulesTest, TheLossesWithoutSmoothingAreForShow) {
  Example e;
  const std::array<ops::SegmentNumber, 1> source{{{0, 1}}};
  const auto bce =
      ops::smoothed_bce_with_logits(e.graph, e.y, ops::constant_rows(e.graph, source), 0.2F);
  EXPECT_FALSE(e.gradient_of(e.sum(bce.losses), e.weight).none());
  EXPECT_THAT([&] { e.gradient_of(e.sum(bce.plain), e.weight); }, no_rule("bce_with_logits"));
}

// A penalty on gradients has a second-order term, which only some operations know.
TEST(GradientRulesTest, AGradientOfAGradientIsNoConstant) {
  Example e;
  const Value pictures = e.graph.external("pictures", {Dtype::kF32, {4, 4, 1}, segment_rows(0)});
  const Value filter = e.graph.parameter(1, "filter", {3, 3, 1, 2});
  const Value y = ops::conv2d(e.graph, pictures, filter);
  const Value dx = e.gradient_of(e.sum(ops::square(e.graph, y)), pictures);
  const Value penalty = e.sum(ops::square(e.graph, dx));
  EXPECT_THAT([&] { e.gradient_of(penalty, filter); }, no_rule("conv2d_backward_data"));
}

TEST(GradientRulesTest, TheGradientThatALossMakesIsNoConstant) {
  Example e;
  const std::array<ops::SegmentNumber, 1> source{{{0, 1}}};
  const Value losses = ops::bce_with_logits(e.graph, e.y, ops::constant_rows(e.graph, source));
  const Value dlogits = e.gradient_of(e.sum(losses), e.y);
  const Value penalty = e.sum(ops::square(e.graph, dlogits));
  EXPECT_THAT([&] { e.gradient_of(penalty, e.weight); }, no_rule("bce_with_logits"));
}

TEST(GradientRulesTest, ReversalAndScalingAreByConstants) {
  Example e;
  const Value rate = ops::mean_rows(e.graph, e.sum_of_row(e.y));
  const Value reversed = e.sum(ops::grl(e.graph, e.y, rate));
  EXPECT_THAT([&] { e.gradient_of(reversed, e.weight); }, no_rule("grl"));
  const Value scaled = e.sum(ops::scale(e.graph, e.y, 1.0F, rate));
  EXPECT_THAT([&] { e.gradient_of(scaled, e.weight); }, no_rule("scale"));
}

TEST(GradientRulesTest, LabelsThatDependOnTheWeightsAreRefusedUnlessStopped) {
  Example e;
  const Value number_weight = e.graph.parameter(1, "number", {1, 3});
  const Value logits = ops::linear(e.graph, e.x, number_weight);
  const Value labels = e.graph.external("labels", {Dtype::kF32, {}, segment_rows(0)});
  const Value soft = e.squared(labels, true);
  const Value kept = ops::multiply(e.graph, labels, labels);
  const Value loss = e.sum(ops::bce_with_logits(e.graph, logits, kept));
  EXPECT_THAT([&] { e.gradient_of(loss, labels); }, no_rule("bce_with_logits"));
  const Value stopped = e.sum(ops::bce_with_logits(e.graph, logits, soft));
  EXPECT_FALSE(e.gradient_of(stopped, number_weight).none());
}

}  // namespace
}  // namespace gradflip
