#include "runtime/ops/conv_layer.h"

#include "runtime/op.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/relu.h"

namespace gradflip::ops {
namespace {

class ConvLayer final : public OpWith<ConvLayerAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "conv_layer"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 2 || inputs.size() == 3,
                     message("conv_layer: ", inputs.size(), " inputs, must be x, filter and bias"));
    std::vector<ValueType> types = conv2d_types(name(), attributes().conv, inputs.first(2));
    if (has_bias(inputs.size())) {
      const std::int64_t K = inputs[1].shape[3];
      GRADFLIP_REQUIRE(inputs[2].shape == Shape{K} && inputs[2].rows.none(),
                       message("conv_layer: bias ", inputs[2].text(), " of ", K, " filters"));
    }
    return types;
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t rows) const override {
    const Conv2dShape shape =
        conv2d_shape(attributes().conv, rows, inputs[0].shape, inputs[1].shape);
    return std::visit([&](auto ctx) { return conv2d_workspace_bytes(ctx, shape); }, context);
  }

  // Through the rectifier by its output, then as of a bias and a convolution.
  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const std::vector<Value>& inputs = request.node.inputs;
    const Value x = inputs[0], filter = inputs[1];
    const bool rectifies = !is_identity(attributes().rectifier);
    const Value dy = rectifies ? relu_backward(graph, attributes().rectifier,
                                               request.node.outputs[0], request.doutputs[0])
                               : request.doutputs[0];
    std::vector<Value> dinputs(inputs.size());
    if (request.wanted[0] != 0) {
      dinputs[0] = conv2d_backward_data(graph, attributes().conv, graph.type(x).shape, dy, filter);
    }
    if (request.wanted[1] != 0) {
      dinputs[1] =
          conv2d_backward_filter(graph, attributes().conv, x, dy, graph.type(filter).shape);
    }
    if (has_bias(inputs.size()) && request.wanted[2] != 0) {
      dinputs[2] = bias_backward(graph, dy);
    }
    return dinputs;
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    const double flops = conv2d_flops(
        conv2d_shape(attributes().conv, inputs[0].rows, inputs[0].shape, inputs[1].shape));
    return {flops, flops, bytes_of(inputs) + bytes_of(outputs)};
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    const Conv2dShape shape =
        conv2d_shape(attributes().conv, x.rows, x.shape, launch.inputs[1].shape);
    const Conv2dEpilogue epilogue{has_bias(launch.inputs.size()) ? launch.in<float>(2) : nullptr,
                                  attributes().rectifier};
    dispatch(launch, [&](auto ctx) {
      conv2d_forward(ctx, shape, launch.in<float>(0), launch.in<float>(1), epilogue,
                     launch.out<float>(0), launch.workspace);
    });
  }

 private:
  static bool has_bias(std::size_t inputs) { return inputs == 3; }
};

}  // namespace

Value conv_layer(Graph& graph, Value x, Value filter, Value bias,
                 const ConvLayerAttributes& attributes) {
  std::vector<Value> inputs = {x, filter};
  if (!bias.none()) inputs.push_back(bias);
  return graph.append_one(std::make_shared<const ConvLayer>(attributes), inputs);
}

}  // namespace gradflip::ops
