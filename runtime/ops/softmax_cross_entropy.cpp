#include "runtime/ops/softmax_cross_entropy.h"

#include "kernels/softmax_cross_entropy.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class SoftmaxCrossEntropy final : public Op {
 public:
  SoftmaxCrossEntropy(Rows rows, float label_smoothing, const LossOptions& options)
      : rows_(rows), options_{label_smoothing, options.weights} {}

  std::string_view name() const override { return "softmax_cross_entropy"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }
  std::size_t num_losses() const override { return 1; }
  const SoftmaxCrossEntropyOptions& options() const { return options_; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].dtype == Dtype::kF32 && inputs[0].shape.rank() == 1 &&
                         inputs[0].shape[0] > 0 && !inputs[0].rows.none() &&
                         inputs[1] == (ValueType{Dtype::kI32, {}, inputs[0].rows}),
                     message("softmax_cross_entropy: logits ", inputs[0].text(), ", labels ",
                             inputs[1].text(), "; expected f32 rows x (num_classes) and i32 rows"));
    GRADFLIP_REQUIRE(inputs.size() == 2 || inputs[2] == (ValueType{Dtype::kF32, {}, {}}),
                     "softmax_cross_entropy: times must be an f32 scalar");
    return {{Dtype::kF32, {}, {}}, inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    std::vector<Value> dinputs(request.node.inputs.size());
    dinputs[0] = request.node.outputs[1];
    return dinputs;
  }

  void run(const Launch& launch) const override {
    const TensorView& logits = launch.inputs[0];
    const float* times = launch.inputs.size() > 2 ? launch.in<float>(2) : nullptr;
    const std::int64_t num_classes = logits.shape[0];
    for_each_loss_segment(
        launch, rows_, options_.weights, times,
        [&](std::int64_t first, std::int64_t count, Scale scale, Write write) {
          dispatch(launch, [&](auto ctx) {
            softmax_cross_entropy(
                ctx, {.N = count, .num_classes = num_classes}, options_.label_smoothing, scale,
                launch.in<float>(0) + first * num_classes, launch.in<std::int32_t>(1) + first,
                write, launch.out<float>(0), launch.out<float>(1) + first * num_classes);
          });
        });
  }

 private:
  Rows rows_;
  SoftmaxCrossEntropyOptions options_;
};

}  // namespace

Value softmax_cross_entropy(Graph& graph, Value logits, Value labels, float label_smoothing,
                            const LossOptions& options) {
  std::vector<Value> inputs{logits, labels};
  if (!options.times.none()) inputs.push_back(options.times);
  auto op = std::make_shared<const SoftmaxCrossEntropy>(graph.type(logits).rows, label_smoothing,
                                                        options);
  return graph.append(std::move(op), std::move(inputs))[0];
}

const SoftmaxCrossEntropyOptions* softmax_cross_entropy_options(const Op& op) {
  const auto* loss = dynamic_cast<const SoftmaxCrossEntropy*>(&op);
  return loss == nullptr ? nullptr : &loss->options();
}

}  // namespace gradflip::ops
