#include "runtime/ops/bias.h"

#include "kernels/bias.h"
#include "runtime/op.h"
#include "runtime/ops/elementwise.h"

namespace gradflip::ops {
namespace {

// dbias, from dy: a sum over the batch.
class BiasBackward final : public Op {
 public:
  std::string_view name() const override { return "bias_backward"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, {inputs[0].shape[inputs[0].shape.rank() - 1]}, {}}};
  }

  // What arrives, in every place that was summed: a bias on zeros.
  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value zeros = constant(graph, graph.type(request.node.inputs[0]), 0.0F);
    return {bias(graph, zeros, request.doutputs[0])};
  }

  void run(const Launch& launch) const override {
    const std::int64_t channels = launch.outputs[0].shape[0];
    dispatch(launch, [&](auto ctx) {
      bias_backward(ctx, launch.inputs[0].size() / channels, channels, launch.in<float>(0),
                    launch.write, launch.out<float>(0));
    });
  }
};

class Bias final : public OpWith<BiasAttributes> {
 public:
  std::string_view name() const override { return "bias"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const Shape& x = inputs[0].shape;
    const Shape& bias = inputs[1].shape;
    GRADFLIP_REQUIRE(x.rank() >= 1 && bias.rank() == 1 && inputs[1].rows.none() &&
                         !inputs[0].rows.none() && x[x.rank() - 1] == bias[0] && bias[0] > 0,
                     message("bias: x ", inputs[0].text(), " does not end in the channels of ",
                             inputs[1].text()));
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    const Value dy = request.doutputs[0];
    return {dy, request.wanted[1] != 0 ? bias_backward(request.graph, dy) : Value{}};
  }

  void run(const Launch& launch) const override {
    const std::int64_t channels = launch.inputs[1].shape[0];
    dispatch(launch, [&](auto ctx) {
      bias_forward(ctx, launch.inputs[0].size() / channels, channels, launch.in<float>(0),
                   launch.in<float>(1), launch.out<float>(0));
    });
  }
};

}  // namespace

Value bias(Graph& graph, Value x, Value bias) {
  return graph.append_one(std::make_shared<const Bias>(), {x, bias});
}

Value bias_backward(Graph& graph, Value dy) {
  return graph.append_one(std::make_shared<const BiasBackward>(), {dy});
}

}  // namespace gradflip::ops
