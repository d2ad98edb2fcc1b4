#include "runtime/ops/linear.h"

#include "kernels/gemm.h"

namespace gradflip::ops {
namespace {

// Two for each multiply-add of each row with the weight.
OpCost dense_cost(std::int64_t rows, const Shape& weight, std::span<const TensorView> inputs,
                  std::span<const TensorView> outputs) {
  const double flops = 2.0 * static_cast<double>(rows * weight.size());
  return {flops, flops, bytes_of(inputs) + bytes_of(outputs)};
}

Value linear_backward_data(Graph& graph, Value dy, Value weight, const Shape& x, Math math);
Value linear_backward_weight(Graph& graph, Value dy, Value x, const Shape& weight, Math math);

// All three are linear in each of two operands, so that the gradients of each are the others.

class LinearBackwardData final : public OpWith<LinearBackwardDataAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "linear_backward_data"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, attributes().x, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value dy = request.node.inputs[0], weight = request.node.inputs[1];
    const Value ddx = request.doutputs[0];
    std::vector<Value> dinputs(2);
    if (request.wanted[0] != 0) dinputs[0] = linear(graph, ddx, weight, attributes().math);
    if (request.wanted[1] != 0) {
      dinputs[1] =
          linear_backward_weight(graph, dy, ddx, graph.type(weight).shape, attributes().math);
    }
    return dinputs;
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return dense_cost(inputs[0].rows, inputs[1].shape, inputs, outputs);
  }

  void run(const Launch& launch) const override {
    const TensorView& dy = launch.inputs[0];
    const auto& [x, math] = attributes();
    const GemmShape shape{.M = dy.rows, .N = x.size(), .K = dy.shape.size(), .math = math};
    dispatch(launch, [&](auto ctx) {
      gemm(ctx, shape, {}, launch.in<float>(0), launch.in<float>(1), Write::kOverwrite,
           launch.out<float>(0));
    });
  }
};

class LinearBackwardWeight final : public OpWith<LinearBackwardWeightAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "linear_backward_weight"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override {
    return {{Dtype::kF32, attributes().weight, {}}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value dy = request.node.inputs[0], x = request.node.inputs[1];
    const Value ddweight = request.doutputs[0];
    std::vector<Value> dinputs(2);
    if (request.wanted[0] != 0) dinputs[0] = linear(graph, x, ddweight, attributes().math);
    if (request.wanted[1] != 0) {
      dinputs[1] =
          linear_backward_data(graph, dy, ddweight, graph.type(x).shape, attributes().math);
    }
    return dinputs;
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return dense_cost(inputs[0].rows, attributes().weight, inputs, outputs);
  }

  void run(const Launch& launch) const override {
    const auto& [weight, math] = attributes();
    const GemmShape shape{.M = weight[0],
                          .N = weight[1],
                          .K = launch.inputs[0].rows,
                          .transpose_a = true,
                          .math = math};
    dispatch(launch, [&](auto ctx) {
      gemm(ctx, shape, {}, launch.in<float>(0), launch.in<float>(1), launch.write,
           launch.out<float>(0));
    });
  }
};

class Linear final : public OpWith<LinearAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "linear"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 2 && !inputs[0].rows.none() && inputs[1].rows.none() &&
                         inputs[0].dtype == Dtype::kF32 && inputs[1].dtype == Dtype::kF32 &&
                         inputs[1].shape.rank() == 2 &&
                         inputs[0].shape.size() == inputs[1].shape[1],
                     message("linear: x ", inputs[0].text(),
                             " does not have the in_features of weight ", inputs[1].text()));
    return {{Dtype::kF32, {inputs[1].shape[0]}, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value x = request.node.inputs[0], weight = request.node.inputs[1];
    const Value dy = request.doutputs[0];
    std::vector<Value> dinputs(2);
    if (request.wanted[0] != 0) {
      dinputs[0] = linear_backward_data(graph, dy, weight, graph.type(x).shape, attributes().math);
    }
    if (request.wanted[1] != 0) {
      dinputs[1] =
          linear_backward_weight(graph, dy, x, graph.type(weight).shape, attributes().math);
    }
    return dinputs;
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return dense_cost(inputs[0].rows, inputs[1].shape, inputs, outputs);
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    const Shape& weight = launch.inputs[1].shape;
    const GemmShape shape{.M = x.rows,
                          .N = weight[0],
                          .K = weight[1],
                          .transpose_b = true,
                          .math = attributes().math};
    dispatch(launch, [&](auto ctx) {
      gemm(ctx, shape, {}, launch.in<float>(0), launch.in<float>(1), Write::kOverwrite,
           launch.out<float>(0));
    });
  }
};

Value linear_backward_data(Graph& graph, Value dy, Value weight, const Shape& x, Math math) {
  return graph.append_one(
      std::make_shared<const LinearBackwardData>(LinearBackwardDataAttributes{x, math}),
      {dy, weight});
}

Value linear_backward_weight(Graph& graph, Value dy, Value x, const Shape& weight, Math math) {
  return graph.append_one(
      std::make_shared<const LinearBackwardWeight>(LinearBackwardWeightAttributes{weight, math}),
      {dy, x});
}

}  // namespace

Value linear(Graph& graph, Value x, Value weight, Math math) {
  return graph.append_one(std::make_shared<const Linear>(LinearAttributes{math}), {x, weight});
}

}  // namespace gradflip::ops
