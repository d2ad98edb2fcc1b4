#include "runtime/ops/add.h"

#include "kernels/elementwise.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class Add final : public Op {
 public:
  std::string_view name() const override { return "add"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 2 && inputs[0] == inputs[1] && inputs[0].dtype == Dtype::kF32,
                     message("add: ", inputs[0].text(), " and ", inputs[1].text(),
                             " are not two f32 values of one type"));
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {request.doutputs[0], request.doutputs[0]};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      binary(ctx, launch.outputs[0].size(), Binary::kAdd, launch.in<float>(0), launch.in<float>(1),
             launch.out<float>(0));
    });
  }
};

}  // namespace

Value add(Graph& graph, Value a, Value b) {
  return graph.append_one(std::make_shared<const Add>(), {a, b});
}

}  // namespace gradflip::ops
