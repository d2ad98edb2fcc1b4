#include "runtime/ops/softmax_cross_entropy.h"

#include "kernels/softmax_cross_entropy.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/row_sums.h"

namespace gradflip::ops {
namespace {

// Outputs: the losses, and dloss/dlogits of each row.
class SoftmaxCrossEntropy final : public OpWith<SoftmaxCrossEntropyAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "softmax_cross_entropy"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    require_softmax_cross_entropy(inputs[0], inputs[1]);
    return {{Dtype::kF32, {}, inputs[0].rows}, inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    require_no_gradient_at(request, 1);
    Graph& graph = request.graph;
    const Value slope = request.node.outputs[1];
    return {multiply(graph, slope,
                     spread_features(graph, request.doutputs[0], graph.type(slope).shape)),
            {}};
  }

  void run(const Launch& launch) const override {
    const TensorView& logits = launch.inputs[0];
    dispatch(launch, [&](auto ctx) {
      softmax_cross_entropy_rows(ctx, {logits.rows, logits.shape[0]}, attributes().label_smoothing,
                                 launch.in<float>(0), launch.in<std::int32_t>(1),
                                 launch.out<float>(0), launch.out<float>(1));
    });
  }
};

}  // namespace

void require_softmax_cross_entropy(const ValueType& logits, const ValueType& labels) {
  GRADFLIP_REQUIRE(logits.dtype == Dtype::kF32 && logits.shape.rank() == 1 && logits.shape[0] > 0 &&
                       !logits.rows.none() && labels == (ValueType{Dtype::kI32, {}, logits.rows}),
                   message("softmax_cross_entropy: logits ", logits.text(), ", labels ",
                           labels.text(), "; expected f32 rows x (num_classes) and i32 rows"));
}

Value softmax_cross_entropy(Graph& graph, Value logits, Value labels, float label_smoothing) {
  return graph.append(
      std::make_shared<const SoftmaxCrossEntropy>(SoftmaxCrossEntropyAttributes{label_smoothing}),
      {logits, labels})[0];
}

}  // namespace gradflip::ops
