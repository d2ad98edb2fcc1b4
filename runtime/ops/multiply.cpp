#include "runtime/ops/multiply.h"

#include "kernels/elementwise.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class Multiply final : public Op {
 public:
  std::string_view name() const override { return "multiply"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 2 && inputs[0] == inputs[1] && inputs[0].dtype == Dtype::kF32,
                     message("multiply: ", inputs[0].text(), " and ", inputs[1].text(),
                             " are not two f32 values of one type"));
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    const Value dy = request.doutputs[0];
    const std::vector<Value>& in = request.node.inputs;
    return {request.wanted[0] != 0 ? multiply(request.graph, dy, in[1]) : Value{},
            request.wanted[1] != 0 ? multiply(request.graph, dy, in[0]) : Value{}};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      binary(ctx, launch.outputs[0].size(), Binary::kMultiply, launch.in<float>(0),
             launch.in<float>(1), launch.out<float>(0));
    });
  }
};

}  // namespace

Value multiply(Graph& graph, Value a, Value b) {
  return graph.append_one(std::make_shared<const Multiply>(), {a, b});
}

}  // namespace gradflip::ops
