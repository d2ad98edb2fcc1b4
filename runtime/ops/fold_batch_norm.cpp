#include "runtime/ops/fold_batch_norm.h"

#include "kernels/batch_norm.h"
#include "kernels/moments.h"

namespace gradflip::ops {
namespace {

// Filters have the output channels last, matrices first.
FoldShape fold_shape(const Shape& weight) {
  if (weight.rank() == 2) return {.outer = 1, .K = weight[0], .inner = weight[1]};
  const std::int64_t K = weight[weight.rank() - 1];
  return {.outer = weight.size() / K, .K = K, .inner = 1};
}

// Inputs: weight, moments, scale, shift.
class FoldBatchNorm final : public Op {
 public:
  std::string_view name() const override { return "fold_batch_norm"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const Shape& weight = inputs[0].shape;
    GRADFLIP_REQUIRE((weight.rank() == 2 || weight.rank() == 4) && weight.size() > 0,
                     message("fold_batch_norm: weights ", inputs[0].text()));
    const std::int64_t K = fold_shape(weight).K;
    GRADFLIP_REQUIRE(
        inputs[1] == (ValueType{Dtype::kF32, {1, kMoments, K}, {}}) &&
            inputs[2] == (ValueType{Dtype::kF32, {K}, {}}) && inputs[3] == inputs[2],
        message("fold_batch_norm: moments ", inputs[1].text(), ", scale ", inputs[2].text(),
                ", shift ", inputs[3].text(), " for ", K, " outputs"));
    return {inputs[0], {Dtype::kF32, {K}, {}}};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      gradflip::fold_batch_norm(ctx, fold_shape(launch.inputs[0].shape), launch.in<float>(0),
                                launch.in<float>(1), launch.in<float>(2), launch.in<float>(3),
                                launch.out<float>(0), launch.out<float>(1));
    });
  }
};

}  // namespace

Folded fold_batch_norm(Graph& graph, Value weight, Value moments, const ChannelAffine& affine) {
  const std::vector<Value> folded = graph.append(std::make_shared<const FoldBatchNorm>(),
                                                 {weight, moments, affine.scale, affine.shift});
  return {folded[0], folded[1]};
}

}  // namespace gradflip::ops
