#include "runtime/ops/conv_block.h"

#include "runtime/op.h"

namespace gradflip::ops {
namespace {

std::int64_t workspace_of(const Context& context, const ConvBlockShape& shape) {
  return std::visit([&](auto ctx) { return conv_block_workspace_bytes(ctx, shape); }, context);
}

// Of a pool window's positions only the winner has a gradient.
OpCost backward_cost(const ConvBlockShape& shape, std::span<const TensorView> inputs,
                     std::span<const TensorView> outputs) {
  const double flops = conv2d_flops(shape.conv);
  return {flops, flops / static_cast<double>(shape.pool_h * shape.pool_w),
          bytes_of(inputs) + bytes_of(outputs)};
}

// dx, from dpooled, the winners and the filter.
class ConvBlockBackwardData final : public Op {
 public:
  ConvBlockBackwardData(const ConvBlockGeometry& geometry, const Shape& x)
      : geometry_(geometry), x_(x) {}

  std::string_view name() const override { return "conv_block_backward_data"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, x_, inputs[0].rows}};
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t rows) const override {
    return workspace_of(context, conv_block_shape(geometry_, rows, x_, inputs[2].shape));
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return backward_cost(conv_block_shape(geometry_, inputs[0].rows, x_, inputs[2].shape), inputs,
                         outputs);
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      conv_block_backward_data(
          ctx, conv_block_shape(geometry_, launch.inputs[0].rows, x_, launch.inputs[2].shape),
          launch.in<float>(0), launch.in<std::uint8_t>(1), launch.in<float>(2),
          launch.out<float>(0), launch.workspace);
    });
  }

 private:
  ConvBlockGeometry geometry_;
  Shape x_;
};

// dfilter and dbias, from x, dpooled and the winners: sums over the batch.
class ConvBlockBackwardFilter final : public Op {
 public:
  ConvBlockBackwardFilter(const ConvBlockGeometry& geometry, const Shape& filter)
      : geometry_(geometry), filter_(filter) {}

  std::string_view name() const override { return "conv_block_backward_filter"; }
  bool watches_gradients() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override {
    return {{Dtype::kF32, filter_, {}}, {Dtype::kF32, {filter_[3]}, {}}};
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t rows) const override {
    return workspace_of(context, conv_block_shape(geometry_, rows, inputs[0].shape, filter_));
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return backward_cost(conv_block_shape(geometry_, inputs[0].rows, inputs[0].shape, filter_),
                         inputs, outputs);
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    dispatch(launch, [&](auto ctx) {
      conv_block_backward_filter(ctx, conv_block_shape(geometry_, x.rows, x.shape, filter_),
                                 launch.in<float>(0), launch.in<float>(1),
                                 launch.in<std::uint8_t>(2), launch.write, launch.out<float>(0),
                                 launch.out<float>(1), launch.workspace, launch.watch);
    });
  }

 private:
  ConvBlockGeometry geometry_;
  Shape filter_;
};

class ConvBlock final : public OpWith<ConvBlockGeometry> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "conv_block"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 3 && inputs[0].shape.rank() == 3 &&
                         inputs[1].shape.rank() == 4 &&
                         inputs[2].shape == Shape{inputs[1].shape[3]} && !inputs[0].rows.none() &&
                         inputs[0].shape[2] == inputs[1].shape[2],
                     message("conv_block: x ", inputs[0].text(), ", filter ", inputs[1].text(),
                             ", bias ", inputs[2].text(), " do not fit"));
    const ConvBlockShape shape =
        conv_block_shape(attributes(), 0, inputs[0].shape, inputs[1].shape);
    require_valid(shape);
    const Shape pooled{shape.PP(), shape.PQ(), shape.conv.K};
    return {{Dtype::kF32, pooled, inputs[0].rows}, {Dtype::kU8, pooled, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value x = request.node.inputs[0], filter = request.node.inputs[1];
    const Value winner = request.node.outputs[1], dpooled = request.doutputs[0];
    std::vector<Value> dinputs(3);
    if (request.wanted[0] != 0) {
      dinputs[0] = graph.append_one(
          std::make_shared<const ConvBlockBackwardData>(attributes(), graph.type(x).shape),
          {dpooled, winner, filter});
    }
    if (request.wanted[1] != 0 || request.wanted[2] != 0) {
      const std::vector<Value> sums = conv_block_backward_filter(
          graph, attributes(), graph.type(filter).shape, x, dpooled, winner);
      dinputs[1] = sums[0];
      dinputs[2] = sums[1];
    }
    return dinputs;
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t rows) const override {
    return workspace_of(context,
                        conv_block_shape(attributes(), rows, inputs[0].shape, inputs[1].shape));
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    const double flops = conv2d_flops(
        conv2d_shape(attributes().conv, inputs[0].rows, inputs[0].shape, inputs[1].shape));
    return {flops, flops, bytes_of(inputs) + bytes_of(outputs)};
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    dispatch(launch, [&](auto ctx) {
      conv_block_forward(ctx,
                         conv_block_shape(attributes(), x.rows, x.shape, launch.inputs[1].shape),
                         launch.in<float>(0), launch.in<float>(1), launch.in<float>(2),
                         launch.out<float>(0), launch.out<std::uint8_t>(1), launch.workspace);
    });
  }
};

}  // namespace

Value conv_block(Graph& graph, Value x, Value filter, Value bias,
                 const ConvBlockGeometry& geometry) {
  return graph.append(std::make_shared<const ConvBlock>(geometry), {x, filter, bias})[0];
}

std::vector<Value> conv_block_backward_filter(Graph& graph, const ConvBlockGeometry& geometry,
                                              const Shape& filter, Value x, Value dpooled,
                                              Value winner) {
  return graph.append(std::make_shared<const ConvBlockBackwardFilter>(geometry, filter),
                      {x, dpooled, winner});
}

ConvBlockShape conv_block_shape(const ConvBlockGeometry& geometry, std::int64_t N, const Shape& x,
                                const Shape& filter) {
  return {.conv = conv2d_shape(geometry.conv, N, x, filter),
          .pool_h = geometry.pool_h,
          .pool_w = geometry.pool_w};
}

}  // namespace gradflip::ops
