#include "runtime/ops/max_pool2d.h"

namespace gradflip::ops {
namespace {

Pool2dShape pool_shape(const Pool2dGeometry& geometry, std::int64_t N, const Shape& x) {
  return {.N = N,
          .H = x[0],
          .W = x[1],
          .C = x[2],
          .window_h = geometry.window_h,
          .window_w = geometry.window_w,
          .stride_h = geometry.stride_h,
          .stride_w = geometry.stride_w,
          .pad_h = geometry.pad_h,
          .pad_w = geometry.pad_w};
}

// dx, from dy and the forward's winners.
class MaxPool2dBackward final : public Op {
 public:
  MaxPool2dBackward(const Pool2dGeometry& geometry, const Shape& x) : geometry_(geometry), x_(x) {}

  std::string_view name() const override { return "max_pool2d_backward"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, x_, inputs[0].rows}};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      max_pool2d_backward(ctx, pool_shape(geometry_, launch.inputs[0].rows, x_),
                          launch.in<float>(0), launch.in<std::int32_t>(1), launch.out<float>(0));
    });
  }

 private:
  Pool2dGeometry geometry_;
  Shape x_;
};

class MaxPool2d final : public OpWith<Pool2dGeometry> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "max_pool2d"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].shape.rank() == 3 && !inputs[0].rows.none(),
                     message("max_pool2d: x ", inputs[0].text(), "; expected rows x (H, W, C)"));
    const Pool2dShape shape = pool_shape(attributes(), 0, inputs[0].shape);
    require_valid(shape);
    const Shape y{shape.P(), shape.Q(), shape.C};
    return {{Dtype::kF32, y, inputs[0].rows}, {Dtype::kI32, y, inputs[0].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    const Shape& x = request.graph.type(request.node.inputs[0]).shape;
    return {request.graph.append_one(std::make_shared<const MaxPool2dBackward>(attributes(), x),
                                     {request.doutputs[0], request.node.outputs[1]})};
  }

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    dispatch(launch, [&](auto ctx) {
      max_pool2d_forward(ctx, pool_shape(attributes(), x.rows, x.shape), launch.in<float>(0),
                         launch.out<float>(0), launch.out<std::int32_t>(1));
    });
  }
};

}  // namespace

Value max_pool2d(Graph& graph, Value x, const Pool2dGeometry& geometry) {
  return graph.append(std::make_shared<const MaxPool2d>(geometry), {x})[0];
}

}  // namespace gradflip::ops
