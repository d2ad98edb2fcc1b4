#include "runtime/ops/conv2d.h"

namespace gradflip::ops {
namespace {

std::int64_t workspace_of(const Context& context, const Conv2dShape& shape) {
  return std::visit([&](auto ctx) { return conv2d_workspace_bytes(ctx, shape); }, context);
}

OpCost dense_cost(const Conv2dShape& shape, std::span<const TensorView> inputs,
                  std::span<const TensorView> outputs) {
  const double flops = conv2d_flops(shape);
  return {flops, flops, bytes_of(inputs) + bytes_of(outputs)};
}

// dx of conv2d, from dy and the filter.
class Conv2dBackwardData final : public Op {
 public:
  Conv2dBackwardData(const Conv2dGeometry& geometry, const Shape& x) : geometry_(geometry), x_(x) {}

  std::string_view name() const override { return "conv2d_backward_data"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, x_, inputs[0].rows}};
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t rows) const override {
    return workspace_of(context, conv2d_shape(geometry_, rows, x_, inputs[1].shape));
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return dense_cost(conv2d_shape(geometry_, inputs[0].rows, x_, inputs[1].shape), inputs,
                      outputs);
  }

  void run(const Launch& launch) const override {
    const Conv2dShape shape =
        conv2d_shape(geometry_, launch.inputs[0].rows, x_, launch.inputs[1].shape);
    dispatch(launch, [&](auto ctx) {
      conv2d_backward_data(ctx, shape, launch.in<float>(0), launch.in<float>(1),
                           launch.out<float>(0), launch.workspace);
    });
  }

 private:
  Conv2dGeometry geometry_;
  Shape x_;
};

// dfilter of conv2d, from x and dy: a sum over the batch.
class Conv2dBackwardFilter final : public Op {
 public:
  Conv2dBackwardFilter(const Conv2dGeometry& geometry, const Shape& filter)
      : geometry_(geometry), filter_(filter) {}

  std::string_view name() const override { return "conv2d_backward_filter"; }

  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override {
    return {{Dtype::kF32, filter_, {}}};
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t rows) const override {
    return workspace_of(context, conv2d_shape(geometry_, rows, inputs[0].shape, filter_));
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return dense_cost(conv2d_shape(geometry_, inputs[0].rows, inputs[0].shape, filter_), inputs,
                      outputs);
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    const Conv2dShape shape = conv2d_shape(geometry_, x.rows, x.shape, filter_);
    dispatch(launch, [&](auto ctx) {
      conv2d_backward_filter(ctx, shape, launch.in<float>(0), launch.in<float>(1), launch.write,
                             launch.out<float>(0), launch.workspace);
    });
  }

 private:
  Conv2dGeometry geometry_;
  Shape filter_;
};

class Conv2d final : public OpWith<Conv2dGeometry> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "conv2d"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return conv2d_types(name(), attributes(), inputs);
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t rows) const override {
    return workspace_of(context,
                        conv2d_shape(attributes(), rows, inputs[0].shape, inputs[1].shape));
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value x = request.node.inputs[0], filter = request.node.inputs[1];
    const Value dy = request.doutputs[0];
    std::vector<Value> dinputs(2);
    if (request.wanted[0] != 0) {
      dinputs[0] = conv2d_backward_data(graph, attributes(), graph.type(x).shape, dy, filter);
    }
    if (request.wanted[1] != 0) {
      dinputs[1] = conv2d_backward_filter(graph, attributes(), x, dy, graph.type(filter).shape);
    }
    return dinputs;
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> outputs) const override {
    return dense_cost(conv2d_shape(attributes(), inputs[0].rows, inputs[0].shape, inputs[1].shape),
                      inputs, outputs);
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    const Conv2dShape shape = conv2d_shape(attributes(), x.rows, x.shape, launch.inputs[1].shape);
    dispatch(launch, [&](auto ctx) {
      conv2d_forward(ctx, shape, launch.in<float>(0), launch.in<float>(1), {}, launch.out<float>(0),
                     launch.workspace);
    });
  }
};

}  // namespace

Value conv2d(Graph& graph, Value x, Value filter, const Conv2dGeometry& geometry) {
  return graph.append_one(std::make_shared<const Conv2d>(geometry), {x, filter});
}

Value conv2d_backward_data(Graph& graph, const Conv2dGeometry& geometry, const Shape& x, Value dy,
                           Value filter) {
  return graph.append_one(std::make_shared<const Conv2dBackwardData>(geometry, x), {dy, filter});
}

Value conv2d_backward_filter(Graph& graph, const Conv2dGeometry& geometry, Value x, Value dy,
                             const Shape& filter) {
  return graph.append_one(std::make_shared<const Conv2dBackwardFilter>(geometry, filter), {x, dy});
}

std::vector<ValueType> conv2d_types(std::string_view op, const Conv2dGeometry& geometry,
                                    std::span<const ValueType> inputs) {
  GRADFLIP_REQUIRE(inputs.size() == 2 && inputs[0].shape.rank() == 3 &&
                       inputs[1].shape.rank() == 4 && !inputs[0].rows.none() &&
                       inputs[1].rows.none(),
                   message(op, ": x ", inputs[0].text(), ", filter ", inputs[1].text(),
                           "; expected rows x (H, W, C) and (R, S, C, K)"));
  GRADFLIP_REQUIRE(inputs[0].shape[2] == inputs[1].shape[2],
                   message(op, ": x has ", inputs[0].shape[2], " channels, filter expects ",
                           inputs[1].shape[2]));
  const Conv2dShape shape = conv2d_shape(geometry, 0, inputs[0].shape, inputs[1].shape);
  require_valid(shape);
  return {{Dtype::kF32, {shape.P(), shape.Q(), shape.K}, inputs[0].rows}};
}

double conv2d_flops(const Conv2dShape& shape) {
  return 2.0 * static_cast<double>(shape.N * shape.P() * shape.Q() * shape.K) *
         static_cast<double>(shape.R * shape.S * shape.C);
}

Conv2dShape conv2d_shape(const Conv2dGeometry& geometry, std::int64_t N, const Shape& x,
                         const Shape& filter) {
  return {.N = N,
          .H = x[0],
          .W = x[1],
          .C = x[2],
          .K = filter[3],
          .R = filter[0],
          .S = filter[1],
          .stride_h = geometry.stride_h,
          .stride_w = geometry.stride_w,
          .pad_h = geometry.pad_h,
          .pad_w = geometry.pad_w,
          .dilation_h = geometry.dilation_h,
          .dilation_w = geometry.dilation_w,
          .math = geometry.math};
}

}  // namespace gradflip::ops
