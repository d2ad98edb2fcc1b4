#include "runtime/ops/grl.h"

#include "kernels/grl.h"

namespace gradflip::ops {
namespace {

class GrlBackward final : public Op {
 public:
  std::string_view name() const override { return "grl_backward"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      grl_backward(ctx, launch.inputs[0].size(), {1.0F, launch.in<float>(1)}, launch.in<float>(0),
                   launch.out<float>(0));
    });
  }
};

class Grl final : public Op {
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
    return {request.graph.append_one(std::make_shared<const GrlBackward>(),
                                     {request.doutputs[0], request.node.inputs[1]}),
            {}};
  }

  void run(const Launch& /*launch*/) const override {}
};

}  // namespace

Value grl(Graph& graph, Value x, Value lambda) {
  return graph.append_one(std::make_shared<const Grl>(), {x, lambda});
}

bool is_grl_backward(const Op& op) { return dynamic_cast<const GrlBackward*>(&op) != nullptr; }

}  // namespace gradflip::ops
