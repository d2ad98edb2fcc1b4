#include "runtime/ops/grl.h"

#include "kernels/grl.h"

namespace gradflip::ops {
namespace {

Value append_grl_backward(Graph& graph, Value dy, Value lambda);

// The reversal is no derivative, so that it has none with respect to lambda.
void require_constant_lambda(const GradientRequest& request) {
  GRADFLIP_REQUIRE(request.wanted[1] == 0,
                   "autodiff: grl has no gradient rule for its lambda; put a stop_gradient before "
                   "it if it is meant as a constant");
}

class GrlBackward final : public OpWith<GrlBackwardAttributes> {
 public:
  std::string_view name() const override { return "grl_backward"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    require_constant_lambda(request);
    return {append_grl_backward(request.graph, request.doutputs[0], request.node.inputs[1]), {}};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      grl_backward(ctx, launch.inputs[0].size(), {1.0F, launch.in<float>(1)}, launch.in<float>(0),
                   launch.out<float>(0));
    });
  }
};

Value append_grl_backward(Graph& graph, Value dy, Value lambda) {
  return graph.append_one(std::make_shared<const GrlBackward>(), {dy, lambda});
}

class Grl final : public OpWith<GrlAttributes> {
 public:
  std::string_view name() const override { return "grl"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }
  std::optional<View> view() const override { return View{0}; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 2 && inputs[0].dtype == Dtype::kF32 &&
                         inputs[1] == (ValueType{Dtype::kF32, {}, {}}),
                     message("grl: x ", inputs[0].text(), ", lambda ", inputs[1].text(),
                             "; lambda must be an f32 scalar"));
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    require_constant_lambda(request);
    return {append_grl_backward(request.graph, request.doutputs[0], request.node.inputs[1]), {}};
  }

  void run(const Launch& /*launch*/) const override {}
};

}  // namespace

Value grl(Graph& graph, Value x, Value lambda) {
  return graph.append_one(std::make_shared<const Grl>(), {x, lambda});
}

}  // namespace gradflip::ops
