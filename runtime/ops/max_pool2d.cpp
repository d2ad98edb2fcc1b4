#include "runtime/ops/max_pool2d.h"

namespace gradflip::ops {
namespace {

// y = x at the winners of another x, from that pool.
class MaxPool2dTake final : public Op {
 public:
  explicit MaxPool2dTake(const Pool2dGeometry& geometry) : geometry_(geometry) {}

  std::string_view name() const override { return "max_pool2d_take"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, inputs[1].shape, inputs[1].rows}};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override;

  void run(const Launch& launch) const override {
    const TensorView& x = launch.inputs[0];
    dispatch(launch, [&](auto ctx) {
      max_pool2d_take(ctx, pool_shape(geometry_, x.rows, x.shape), launch.in<float>(0),
                      launch.in<std::int32_t>(1), launch.out<float>(0));
    });
  }

 private:
  Pool2dGeometry geometry_;
};

// dx, from dy and the forward's winners.
class MaxPool2dBackward final : public Op {
 public:
  MaxPool2dBackward(const Pool2dGeometry& geometry, const Shape& x) : geometry_(geometry), x_(x) {}

  std::string_view name() const override { return "max_pool2d_backward"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{Dtype::kF32, x_, inputs[0].rows}};
  }

  // Linear in dy; who wins is a step, whose derivative is zero where it has one.
  std::vector<Value> gradient(const GradientRequest& request) const override {
    if (request.wanted[0] == 0) return {{}, {}};
    return {request.graph.append_one(std::make_shared<const MaxPool2dTake>(geometry_),
                                     {request.doutputs[0], request.node.inputs[1]}),
            {}};
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

std::vector<Value> MaxPool2dTake::gradient(const GradientRequest& request) const {
  if (request.wanted[0] == 0) return {{}, {}};
  const Shape& x = request.graph.type(request.node.inputs[0]).shape;
  return {request.graph.append_one(std::make_shared<const MaxPool2dBackward>(geometry_, x),
                                   {request.doutputs[0], request.node.inputs[1]}),
          {}};
}

class MaxPool2d final : public OpWith<Pool2dGeometry> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "max_pool2d"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].shape.rank() == 3 && !inputs[0].rows.none(),
                     message("max_pool2d: x ", inputs[0].text(), "; expected rows x (H, W, C)"));
    const Pool2dShape shape = pool_shape(attributes(), 0, inputs[0].shape);
    require_valid(shape, name());
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
