#include "runtime/ops/instance_norm.h"

#include "kernels/instance_norm.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/mean_pool2d.h"

namespace gradflip::ops {
namespace {

InstanceNormShape norm_shape(const TensorView& x, float eps = 1.0F) {
  return {.N = x.rows, .pixels = x.shape[0] * x.shape[1], .C = x.shape[2], .eps = eps};
}

Value append_instance_norm_backward(Graph& graph, Value y, Value rstd, Value dy);

// The mean of each channel of a * b.
Value mean_product(Graph& graph, Value a, Value b) {
  return global_mean_pool2d(graph, multiply(graph, a, b));
}

// dx = rstd (dy - mean dy - y mean(dy y)), from y, rstd and dy.
class InstanceNormBackward final : public Op {
 public:
  std::string_view name() const override { return "instance_norm_backward"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  // With v = what arrives and sums over M pixels in sum(v dx):
  //   of y     -rstd (v mean(dy y) + dy mean(v y))
  //   of rstd  sum(v dx) / rstd
  //   of dy    the same operation on v
  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const std::vector<Value>& inputs = request.node.inputs;
    const Value y = inputs[0], rstd = inputs[1], dy = inputs[2], v = request.doutputs[0];
    const Shape& x = graph.type(y).shape;
    const auto M = static_cast<float>(x[0] * x[1]);
    std::vector<Value> gradients(3);
    if (request.wanted[0] != 0) {
      const auto times = [&](Value numbers, Value product) {  // M is that of spread_mean2d
        const Value factor = spread_mean2d(graph, multiply(graph, rstd, product), x);
        return multiply(graph, numbers, factor);
      };
      gradients[0] = scale(
          graph,
          add(graph, times(v, mean_product(graph, dy, y)), times(dy, mean_product(graph, v, y))),
          -M);
    }
    if (request.wanted[1] != 0) {
      const Value mean = mean_product(graph, v, request.node.outputs[0]);
      gradients[1] = scale(graph, divide(graph, mean, rstd), M);
    }
    if (request.wanted[2] != 0) gradients[2] = append_instance_norm_backward(graph, y, rstd, v);
    return gradients;
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      instance_norm_backward(ctx, norm_shape(launch.inputs[0]), launch.in<float>(0),
                             launch.in<float>(1), launch.in<float>(2), launch.out<float>(0));
    });
  }
};

// Outputs: y, and rstd of each channel.
class InstanceNorm final : public OpWith<InstanceNormAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "instance_norm"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(
        inputs.size() == 1 && inputs[0].dtype == Dtype::kF32 && inputs[0].shape.rank() == 3 &&
            !inputs[0].rows.none(),
        message("instance_norm: x ", inputs[0].text(), "; expected f32 rows x (H, W, C)"));
    const Shape& x = inputs[0].shape;
    require_valid({.N = 0, .pixels = x[0] * x[1], .C = x[2], .eps = attributes().eps});
    return {inputs[0], {Dtype::kF32, {x[2]}, inputs[0].rows}};
  }

  // What arrives at rstd, of second derivatives: its own is -rstd^2 y / M.
  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value y = request.node.outputs[0], rstd = request.node.outputs[1];
    const Value dy = request.doutputs[0], drstd = request.doutputs[1];
    Value dx;
    if (!dy.none()) dx = append_instance_norm_backward(graph, y, rstd, dy);
    if (!drstd.none()) {
      const Value slope = scale(graph, multiply(graph, drstd, square(graph, rstd)), -1.0F);
      const Value of_rstd = multiply(graph, y, spread_mean2d(graph, slope, graph.type(y).shape));
      dx = dx.none() ? of_rstd : add(graph, dx, of_rstd);
    }
    return {dx};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      instance_norm_forward(ctx, norm_shape(launch.inputs[0], attributes().eps),
                            launch.in<float>(0), launch.out<float>(0), launch.out<float>(1));
    });
  }
};

Value append_instance_norm_backward(Graph& graph, Value y, Value rstd, Value dy) {
  return graph.append_one(std::make_shared<const InstanceNormBackward>(), {y, rstd, dy});
}

}  // namespace

Value instance_norm(Graph& graph, Value x, float eps) {
  return graph.append(std::make_shared<const InstanceNorm>(InstanceNormAttributes{eps}), {x})[0];
}

}  // namespace gradflip::ops
