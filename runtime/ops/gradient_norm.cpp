#include "runtime/ops/gradient_norm.h"

#include "kernels/gradient_norm.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// Inputs: gradients, kinds if there are some, then what must be complete. Threads do not share it:
// a sum has one order.
class GradientNormOp final : public Op {
 public:
  GradientNormOp(float max_norm, bool has_kinds) : max_norm_(max_norm), has_kinds_(has_kinds) {}

  std::string_view name() const override { return "gradient_norm"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const ValueType& gradients = inputs[0];
    GRADFLIP_REQUIRE(gradients.rows.none() && gradients.dtype == Dtype::kF32,
                     message("gradient_norm: of ", gradients.text()));
    const ValueType kinds{Dtype::kU8, {update_runs(gradients.shape.size())}, {}};
    GRADFLIP_REQUIRE(!has_kinds_ || inputs[1] == kinds,
                     message("gradient_norm: kinds ", inputs[1].text(), ", not ", kinds.text()));
    return {{Dtype::kF32, {}, {}}, {Dtype::kF32, {}, {}}};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> /*outputs*/) const override {
    return {.bytes = bytes_of(inputs.first(1))};
  }

  std::int64_t workspace_bytes(const Context& context, std::span<const ValueType> inputs,
                               std::int64_t /*rows*/) const override {
    return std::visit(
        [&](auto ctx) { return gradient_norm_scratch_bytes(ctx, inputs[0].shape.size()); },
        context);
  }

  void run(const Launch& launch) const override {
    const GradientNorm norm{.size = launch.inputs[0].size(),
                            .kinds = has_kinds_ ? launch.in<UpdateKind>(1) : nullptr,
                            .max_norm = max_norm_,
                            .gradient = launch.in<float>(0),
                            .norm = launch.out<float>(0),
                            .factor = launch.out<float>(1),
                            .scratch = launch.workspace};
    dispatch(launch, [&](auto ctx) { gradient_norm(ctx, norm); });
  }

 private:
  float max_norm_;
  bool has_kinds_;
};

}  // namespace

GradientNormValues gradient_norm(Graph& graph, Value gradients, Value kinds, float max_norm,
                                 std::span<const Value> after) {
  GRADFLIP_REQUIRE(max_norm > 0.0F, message("gradient_norm: at most ", max_norm, " (> 0)"));
  std::vector<Value> inputs{gradients};
  if (!kinds.none()) inputs.push_back(kinds);
  inputs.insert(inputs.end(), after.begin(), after.end());
  const std::vector<Value> outputs = graph.append(
      std::make_shared<const GradientNormOp>(max_norm, !kinds.none()), std::move(inputs));
  return {outputs[0], outputs[1]};
}

}  // namespace gradflip::ops
