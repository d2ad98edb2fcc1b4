#include "runtime/ops/relu.h"

#include "kernels/relu.h"

namespace gradflip::ops {
namespace {

// dx, from the forward's output y and dy.
class ReluBackward final : public Op {
 public:
  explicit ReluBackward(const Rectifier& rectifier) : rectifier_(rectifier) {}

  std::string_view name() const override { return "relu_backward"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  // Linear in dy; of y, a step, whose derivative is zero where it has one.
  std::vector<Value> gradient(const GradientRequest& request) const override {
    if (request.wanted[1] == 0) return {{}, {}};
    return {{},
            relu_backward(request.graph, rectifier_, request.node.inputs[0], request.doutputs[0])};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      relu_backward(ctx, launch.inputs[0].size(), launch.in<float>(0), launch.in<float>(1),
                    launch.out<float>(0), rectifier_);
    });
  }

 private:
  Rectifier rectifier_;
};

class Relu final : public OpWith<ReluAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override {
    if (attributes().rectifier.is_relu()) return "relu";
    return attributes().rectifier.slope == 0.0F ? "relu6" : "leaky_relu";
  }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].dtype == Dtype::kF32,
                     message(name(), ": ", inputs[0].text(), " is not f32"));
    require_valid(attributes().rectifier);
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {relu_backward(request.graph, attributes().rectifier, request.node.outputs[0],
                          request.doutputs[0])};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      relu_forward(ctx, launch.inputs[0].size(), launch.in<float>(0), launch.out<float>(0),
                   attributes().rectifier);
    });
  }
};

Value append_relu(Graph& graph, Value x, const Rectifier& rectifier) {
  return graph.append_one(std::make_shared<const Relu>(ReluAttributes{rectifier}), {x});
}

}  // namespace

Value relu(Graph& graph, Value x) { return append_relu(graph, x, {}); }
Value leaky_relu(Graph& graph, Value x, float slope) {
  return append_relu(graph, x, {.slope = slope});
}
Value relu6(Graph& graph, Value x) { return append_relu(graph, x, {.cap = 6.0F}); }

bool is_relu(const Op& op) {
  const auto* attributes = attributes_of<ReluAttributes>(op);
  return attributes != nullptr && attributes->rectifier.is_relu();
}

Value relu_backward(Graph& graph, const Rectifier& rectifier, Value y, Value dy) {
  return graph.append_one(std::make_shared<const ReluBackward>(rectifier), {y, dy});
}

}  // namespace gradflip::ops
