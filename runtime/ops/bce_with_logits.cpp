#include "runtime/ops/bce_with_logits.h"

#include "kernels/bce_with_logits.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/row_sums.h"

namespace gradflip::ops {
namespace {

// Outputs: the losses, and dloss/dlogits of each row; where labels are smoothed, the losses without.
class BceWithLogits final : public OpWith<BceWithLogitsAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "bce_with_logits"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    require_bce_with_logits(inputs[0], inputs[1]);
    require_valid_bce(0, attributes().label_smoothing);
    std::vector<ValueType> types{{Dtype::kF32, {}, inputs[0].rows}, inputs[0]};
    if (is_smoothed()) types.push_back(types[0]);
    return types;
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    require_no_gradient_at(request, 1);
    if (is_smoothed()) require_no_gradient_at(request, 2);
    GRADFLIP_REQUIRE(request.wanted[1] == 0,
                     "autodiff: bce_with_logits has no gradient rule for its labels; put a "
                     "stop_gradient before them if they are meant as constants");
    Graph& graph = request.graph;
    const Value slope = request.node.outputs[1];
    return {multiply(graph, slope,
                     spread_features(graph, request.doutputs[0], graph.type(slope).shape)),
            {}};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      bce_with_logits_rows(ctx, launch.inputs[0].rows, attributes().label_smoothing,
                           launch.in<float>(0), launch.in<float>(1), launch.out<float>(0),
                           is_smoothed() ? launch.out<float>(2) : nullptr, launch.out<float>(1));
    });
  }

 private:
  bool is_smoothed() const { return attributes().label_smoothing != 0.0F; }
};

}  // namespace

void require_bce_with_logits(const ValueType& logits, const ValueType& labels) {
  GRADFLIP_REQUIRE(logits.dtype == Dtype::kF32 && logits.shape == Shape{1} && !logits.rows.none() &&
                       labels == (ValueType{Dtype::kF32, {}, logits.rows}),
                   message("bce_with_logits: logits ", logits.text(), ", labels ", labels.text(),
                           "; expected f32 rows x (1) and f32 rows"));
}

Value bce_with_logits(Graph& graph, Value logits, Value labels) {
  return graph.append(std::make_shared<const BceWithLogits>(), {logits, labels})[0];
}

SmoothedBce smoothed_bce_with_logits(Graph& graph, Value logits, Value labels,
                                     float label_smoothing) {
  const std::vector<Value> outputs =
      graph.append(std::make_shared<const BceWithLogits>(BceWithLogitsAttributes{label_smoothing}),
                   {logits, labels});
  return {outputs.front(), outputs.size() > 2 ? outputs[2] : outputs.front()};
}

}  // namespace gradflip::ops
