#include "runtime/ops/batch_norm.h"

#include <utility>

#include "kernels/batch_norm.h"
#include "runtime/ops/batch_norm_parts.h"

namespace gradflip::ops {
namespace {

// Inputs: those of the forward, dy, and the sums where the moments are the batch's.
class BatchNormBackward final : public Op {
 public:
  explicit BatchNormBackward(BatchNormAttributes attributes) : attributes_(std::move(attributes)) {}

  std::string_view name() const override { return "batch_norm_backward"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {inputs[0]};
  }

  void run(const Launch& launch) const override {
    const BatchNorm norm = norm_operands(launch, attributes_, attributes_.of_batch ? 2 : 1);
    const BatchNormCounts counts = norm_counts(launch, attributes_.groups, norm.pixels);
    const std::size_t dy = launch.inputs.size() - (attributes_.of_batch ? 2 : 1);
    const float* sums = attributes_.of_batch ? launch.in<float>(dy + 1) : nullptr;
    dispatch(launch, [&](auto ctx) {
      batch_norm_backward(ctx, norm, counts, launch.in<float>(0), launch.in<float>(dy), sums,
                          launch.out<float>(0));
    });
  }

 private:
  BatchNormAttributes attributes_;
};

// Inputs: x, moments, then scale and shift of each group, or of all.
class BatchNormOp final : public OpWith<BatchNormAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "batch_norm"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    require_norm_operands(name(), inputs, attributes());
    return {inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    return norm_gradients(request, attributes(), request.node.inputs[0], [&](Value sums) {
      std::vector<Value> operands(request.node.inputs);
      operands.push_back(request.doutputs[0]);
      if (!sums.none()) operands.push_back(sums);
      return request.graph.append_one(std::make_shared<const BatchNormBackward>(attributes()),
                                      std::move(operands));
    });
  }

  void run(const Launch& launch) const override {
    const BatchNorm norm = norm_operands(launch, attributes(), 0);
    dispatch(launch, [&](auto ctx) {
      batch_norm_forward(ctx, norm, launch.in<float>(0), launch.out<float>(0));
    });
  }
};

}  // namespace

Value batch_norm(Graph& graph, Value x, Value moments, std::span<const ChannelAffine> affine,
                 const BatchNormAttributes& attributes) {
  return graph.append_one(std::make_shared<const BatchNormOp>(attributes),
                          norm_inputs(x, moments, affine));
}

}  // namespace gradflip::ops
