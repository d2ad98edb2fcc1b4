#include "runtime/ops/relu.h"

#include "kernels/relu.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// dx, from the forward's output y and dy.
class ReluBackward final : public Op {
 public:
  std::string_view name() const override { return "relu_backward"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  // Linear in dy; of y, a step, whose derivative is zero where it has one.
  std::vector<Value> gradient(const GradientRequest& request) const override {
    if (request.wanted[1] == 0) return {{}, {}};
    return {{}, relu_backward(request.graph, request.node.inputs[0], request.doutputs[0])};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      relu_backward(ctx, launch.inputs[0].size(), launch.in<float>(0), launch.in<float>(1),
                    launch.out<float>(0));
    });
  }
};

class Relu final : public OpWith<ReluAttributes> {
 public:
  std::string_view name() const override { return "relu"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].dtype == Dtype::kF32,
                     message("relu: ", inputs[0].text(), " is not f32"));
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {relu_backward(request.graph, request.node.outputs[0], request.doutputs[0])};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      relu_forward(ctx, launch.inputs[0].size(), launch.in<float>(0), launch.out<float>(0));
    });
  }
};

}  // namespace

Value relu(Graph& graph, Value x) { return graph.append_one(std::make_shared<const Relu>(), {x}); }

Value relu_backward(Graph& graph, Value y, Value dy) {
  return graph.append_one(std::make_shared<const ReluBackward>(), {y, dy});
}

}  // namespace gradflip::ops
