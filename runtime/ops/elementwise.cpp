#include "runtime/ops/elementwise.h"

#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class UnaryOp final : public OpWith<UnaryAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override {
    switch (attributes().function) {
      case Unary::kExp:
        return "exp";
      case Unary::kLog:
        return "log";
      case Unary::kSqrt:
        return "sqrt";
      case Unary::kSquare:
        return "square";
      case Unary::kSigmoid:
        return "sigmoid";
      case Unary::kTanh:
        return "tanh";
      case Unary::kSoftplus:
        return "softplus";
      case Unary::kAbs:
        return "abs";
      case Unary::kSign:
        break;
    }
    return "sign";
  }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].dtype == Dtype::kF32,
                     message(name(), ": ", inputs[0].text(), " is not f32"));
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value x = request.node.inputs[0], y = request.node.outputs[0];
    const Value dy = request.doutputs[0];
    switch (attributes().function) {
      case Unary::kExp:
        return {multiply(graph, dy, y)};
      case Unary::kLog:
        return {divide(graph, dy, x)};
      case Unary::kSqrt:
        return {scale(graph, divide(graph, dy, y), 0.5F)};
      case Unary::kSquare:
        return {scale(graph, multiply(graph, dy, x), 2.0F)};
      case Unary::kSigmoid:  // y (1 - y), without a difference that loses digits
        return {multiply(graph, multiply(graph, dy, y), sigmoid(graph, scale(graph, x, -1.0F)))};
      case Unary::kTanh:
        return {subtract(graph, dy, multiply(graph, dy, square(graph, y)))};
      case Unary::kSoftplus:
        return {multiply(graph, dy, sigmoid(graph, x))};
      case Unary::kAbs:
        return {multiply(graph, dy, sign(graph, x))};
      case Unary::kSign:
        break;
    }
    return {Value{}};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      unary(ctx, launch.outputs[0].size(), attributes().function, launch.in<float>(0),
            launch.out<float>(0));
    });
  }
};

class BinaryOp final : public OpWith<BinaryAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override {
    switch (attributes().function) {
      case Binary::kAdd:
        return "add";
      case Binary::kSubtract:
        return "subtract";
      case Binary::kMultiply:
        return "multiply";
      case Binary::kDivide:
        break;
    }
    return "divide";
  }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 2 && inputs[0] == inputs[1] && inputs[0].dtype == Dtype::kF32,
                     message(name(), ": ", inputs[0].text(), " and ", inputs[1].text(),
                             " are not two f32 values of one type"));
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    const auto [da, db] = gradient_of_both(request);
    return {da, db};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      binary(ctx, launch.outputs[0].size(), attributes().function, launch.in<float>(0),
             launch.in<float>(1), launch.out<float>(0));
    });
  }

 private:
  std::pair<Value, Value> gradient_of_both(const GradientRequest& request) const {
    Graph& graph = request.graph;
    const Value a = request.node.inputs[0], b = request.node.inputs[1];
    const Value y = request.node.outputs[0], dy = request.doutputs[0];
    const auto where_wanted = [&](std::size_t input, auto&& gradient) {
      return request.wanted[input] != 0 ? gradient() : Value{};
    };
    switch (attributes().function) {
      case Binary::kAdd:
        return {dy, dy};
      case Binary::kSubtract:
        return {dy, where_wanted(1, [&] { return scale(graph, dy, -1.0F); })};
      case Binary::kMultiply:
        return {where_wanted(0, [&] { return multiply(graph, dy, b); }),
                where_wanted(1, [&] { return multiply(graph, dy, a); })};
      case Binary::kDivide:
        break;
    }
    // (a / b)' = a' / b - (a / b) b' / b
    return {where_wanted(0, [&] { return divide(graph, dy, b); }), where_wanted(1, [&] {
              return scale(graph, divide(graph, multiply(graph, dy, y), b), -1.0F);
            })};
  }
};

class ScaleOp final : public OpWith<ScaleAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "scale"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(
        inputs[0].dtype == Dtype::kF32 &&
            (inputs.size() == 1 || inputs[1] == (ValueType{Dtype::kF32, {}, {}})),
        message("scale: x ", inputs[0].text(), " must be f32, times an f32 scalar without rows"));
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    const std::vector<Value>& inputs = request.node.inputs;
    GRADFLIP_REQUIRE(inputs.size() == 1 || request.wanted[1] == 0,
                     "autodiff: scale has no gradient rule for its times; put a stop_gradient "
                     "before it if it is meant as a constant, or use multiply");
    std::vector<Value> dinputs(inputs.size());
    dinputs[0] = scale(request.graph, request.doutputs[0], attributes().factor,
                       inputs.size() == 1 ? Value{} : inputs[1]);
    return dinputs;
  }

  void run(const Launch& launch) const override {
    const float* times = launch.inputs.size() == 1 ? nullptr : launch.in<float>(1);
    dispatch(launch, [&](auto ctx) {
      gradflip::scale(ctx, launch.outputs[0].size(), {attributes().factor, times},
                      launch.in<float>(0), launch.out<float>(0));
    });
  }
};

class ConstantOp final : public OpWith<ConstantAttributes> {
 public:
  ConstantOp(const ValueType& type, float number) : OpWith({number}), type_(type) {}

  std::string_view name() const override { return "constant"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override {
    GRADFLIP_REQUIRE(type_.dtype == Dtype::kF32,
                     message("constant: ", type_.text(), " is not f32"));
    return {type_};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      fill(ctx, launch.outputs[0].size(), attributes().number, launch.out<float>(0));
    });
  }

 private:
  ValueType type_;
};

Value append_unary(Graph& graph, Unary function, Value x) {
  return graph.append_one(std::make_shared<const UnaryOp>(UnaryAttributes{function}), {x});
}

Value append_binary(Graph& graph, Binary function, Value a, Value b) {
  return graph.append_one(std::make_shared<const BinaryOp>(BinaryAttributes{function}), {a, b});
}

}  // namespace

Value exp(Graph& graph, Value x) { return append_unary(graph, Unary::kExp, x); }
Value log(Graph& graph, Value x) { return append_unary(graph, Unary::kLog, x); }
Value sqrt(Graph& graph, Value x) { return append_unary(graph, Unary::kSqrt, x); }
Value square(Graph& graph, Value x) { return append_unary(graph, Unary::kSquare, x); }
Value sigmoid(Graph& graph, Value x) { return append_unary(graph, Unary::kSigmoid, x); }
Value tanh(Graph& graph, Value x) { return append_unary(graph, Unary::kTanh, x); }
Value softplus(Graph& graph, Value x) { return append_unary(graph, Unary::kSoftplus, x); }
Value abs(Graph& graph, Value x) { return append_unary(graph, Unary::kAbs, x); }
Value sign(Graph& graph, Value x) { return append_unary(graph, Unary::kSign, x); }

Value add(Graph& graph, Value a, Value b) { return append_binary(graph, Binary::kAdd, a, b); }
Value subtract(Graph& graph, Value a, Value b) {
  return append_binary(graph, Binary::kSubtract, a, b);
}
Value multiply(Graph& graph, Value a, Value b) {
  return append_binary(graph, Binary::kMultiply, a, b);
}
Value divide(Graph& graph, Value a, Value b) { return append_binary(graph, Binary::kDivide, a, b); }

Value scale(Graph& graph, Value x, float factor, Value times) {
  std::vector<Value> inputs{x};
  if (!times.none()) inputs.push_back(times);
  return graph.append_one(std::make_shared<const ScaleOp>(ScaleAttributes{factor}),
                          std::move(inputs));
}

Value constant(Graph& graph, const ValueType& type, float number) {
  return graph.append_one(std::make_shared<const ConstantOp>(type, number), {});
}

}  // namespace gradflip::ops
