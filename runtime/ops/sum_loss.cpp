#include "runtime/ops/sum_loss.h"

#include "kernels/bias.h"
#include "kernels/elementwise.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class SumLossOp final : public Op {
 public:
  explicit SumLossOp(float weight) : weight_(weight) {}

  std::string_view name() const override { return "sum_loss"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }
  std::size_t num_losses() const override { return 1; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs.size() == 1 && inputs[0].dtype == Dtype::kF32 && !inputs[0].rows.none(),
                     message("sum_loss: ", inputs[0].text(), " is not f32 with rows"));
    return {{Dtype::kF32, {}, {}}, inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return {request.node.outputs[1]};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      const std::int64_t size = launch.inputs[0].size();
      // dx is scratch for the scaled terms before it takes the constant gradient.
      scale(ctx, size, {weight_}, launch.in<float>(0), launch.out<float>(1));
      bias_backward(ctx, size, 1, launch.out<float>(1), launch.write, launch.out<float>(0));
      fill(ctx, size, weight_, launch.out<float>(1));
    });
  }

 private:
  float weight_;
};

}  // namespace

SumLoss sum_loss(Graph& graph, Value x, float weight) {
  return {graph.append(std::make_shared<const SumLossOp>(weight), {x})[0]};
}

}  // namespace gradflip::ops
