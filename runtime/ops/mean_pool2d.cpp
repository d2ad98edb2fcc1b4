#include "runtime/ops/mean_pool2d.h"

#include "kernels/mean_pool2d.h"

namespace gradflip::ops {
namespace {

// All of a picture x, as one window.
Pool2dGeometry whole(const Shape& x) {
  return {.window_h = x[0], .window_w = x[1], .stride_h = x[0], .stride_w = x[1]};
}

void require_pictures(std::string_view name, std::span<const ValueType> inputs) {
  GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].dtype == Dtype::kF32 &&
                       inputs[0].shape.rank() == 3 && !inputs[0].rows.none(),
                   message(name, ": x ", inputs[0].text(), "; expected f32 rows x (H, W, C)"));
}

// dx, from dy. Both kinds of pool, which differ in the shape of y: x is a row's picture.
class MeanPool2dBackward final : public Op {
 public:
  MeanPool2dBackward(const Pool2dGeometry& geometry, const Shape& x) : geometry_(geometry), x_(x) {}

  std::string_view name() const override { return "mean_pool2d_backward"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, x_, inputs[0].rows}};
  }

  // Linear in dy: pooling what arrives.
  std::vector<Value> gradient(const GradientRequest& request) const override {
    Graph& graph = request.graph;
    const Value v = request.doutputs[0];
    const bool is_global = graph.type(request.node.inputs[0]).shape.rank() == 1;
    return {is_global ? global_mean_pool2d(graph, v) : mean_pool2d(graph, v, geometry_)};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      mean_pool2d_backward(ctx, pool_shape(geometry_, launch.inputs[0].rows, x_),
                           launch.in<float>(0), launch.out<float>(0));
    });
  }

 private:
  Pool2dGeometry geometry_;
  Shape x_;
};

Value append_backward(Graph& graph, Value dy, const Pool2dGeometry& geometry, const Shape& x) {
  return graph.append_one(std::make_shared<const MeanPool2dBackward>(geometry, x), {dy});
}

void run_forward(const Launch& launch, const Pool2dGeometry& geometry) {
  const TensorView& x = launch.inputs[0];
  dispatch(launch, [&](auto ctx) {
    mean_pool2d_forward(ctx, pool_shape(geometry, x.rows, x.shape), launch.in<float>(0),
                        launch.out<float>(0));
  });
}

class MeanPool2d final : public OpWith<MeanPool2dAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "mean_pool2d"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    require_pictures(name(), inputs);
    const Pool2dShape shape = pool_shape(attributes().geometry, 0, inputs[0].shape);
    require_valid(shape, name());
    return {{Dtype::kF32, {shape.P(), shape.Q(), shape.C}, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {append_backward(request.graph, request.doutputs[0], attributes().geometry,
                            request.graph.type(request.node.inputs[0]).shape)};
  }

  void run(const Launch& launch) const override { run_forward(launch, attributes().geometry); }
};

class GlobalMeanPool2d final : public OpWith<GlobalMeanPool2dAttributes> {
 public:
  std::string_view name() const override { return "global_mean_pool2d"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    require_pictures(name(), inputs);
    const Shape& x = inputs[0].shape;
    require_valid(pool_shape(whole(x), 0, x), name());
    return {{Dtype::kF32, {x[2]}, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {spread_mean2d(request.graph, request.doutputs[0],
                          request.graph.type(request.node.inputs[0]).shape)};
  }

  void run(const Launch& launch) const override {
    run_forward(launch, whole(launch.inputs[0].shape));
  }
};

}  // namespace

Value mean_pool2d(Graph& graph, Value x, const Pool2dGeometry& geometry) {
  return graph.append_one(std::make_shared<const MeanPool2d>(MeanPool2dAttributes{geometry}), {x});
}

Value global_mean_pool2d(Graph& graph, Value x) {
  return graph.append_one(std::make_shared<const GlobalMeanPool2d>(), {x});
}

Value spread_mean2d(Graph& graph, Value dy, const Shape& shape) {
  return append_backward(graph, dy, whole(shape), shape);
}

}  // namespace gradflip::ops
