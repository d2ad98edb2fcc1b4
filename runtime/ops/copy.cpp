#include "runtime/ops/copy.h"

#include "kernels/elementwise.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class Copy final : public Op {
 public:
  std::string_view name() const override { return "copy"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].dtype == Dtype::kF32, message("copy: x ", inputs[0].text()));
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {request.doutputs[0]};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      scale(ctx, launch.outputs[0].size(), {}, launch.in<float>(0), launch.out<float>(0));
    });
  }
};

}  // namespace

Value copy(Graph& graph, Value x) { return graph.append_one(std::make_shared<const Copy>(), {x}); }

}  // namespace gradflip::ops
