#include "runtime/ops/bce_with_logits.h"

#include "kernels/bce_with_logits.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class BceWithLogits final : public Op {
 public:
  BceWithLogits(Rows rows, const LossOptions& options) : rows_(rows), weights_(options.weights) {}

  std::string_view name() const override { return "bce_with_logits"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }
  std::size_t num_losses() const override { return 1; }
  const std::array<float, kMaxSegments>& weights() const { return weights_; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].dtype == Dtype::kF32 && inputs[0].shape == Shape{1} &&
                         !inputs[0].rows.none() &&
                         inputs[1] == (ValueType{Dtype::kF32, {}, inputs[0].rows}),
                     message("bce_with_logits: logits ", inputs[0].text(), ", labels ",
                             inputs[1].text(), "; expected f32 rows x (1) and f32 rows"));
    GRADFLIP_REQUIRE(inputs.size() == 2 || inputs[2] == (ValueType{Dtype::kF32, {}, {}}),
                     "bce_with_logits: times must be an f32 scalar");
    return {{Dtype::kF32, {}, {}}, inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    GRADFLIP_REQUIRE(request.wanted[1] == 0,
                     "autodiff: bce_with_logits has no gradient rule for its labels; put a "
                     "stop_gradient before them if they are meant as constants");
    std::vector<Value> dinputs(request.node.inputs.size());
    dinputs[0] = request.node.outputs[1];
    return dinputs;
  }

  void run(const Launch& launch) const override {
    const float* times = launch.inputs.size() > 2 ? launch.in<float>(2) : nullptr;
    for_each_loss_segment(launch, rows_, weights_, times,
                          [&](std::int64_t first, std::int64_t count, Scale scale, Write write) {
                            dispatch(launch, [&](auto ctx) {
                              bce_with_logits(ctx, count, scale, launch.in<float>(0) + first,
                                              launch.in<float>(1) + first, write,
                                              launch.out<float>(0), launch.out<float>(1) + first);
                            });
                          });
  }

 private:
  Rows rows_;
  std::array<float, kMaxSegments> weights_;
};

}  // namespace

Value bce_with_logits(Graph& graph, Value logits, Value labels, const LossOptions& options) {
  std::vector<Value> inputs{logits, labels};
  if (!options.times.none()) inputs.push_back(options.times);
  auto op = std::make_shared<const BceWithLogits>(graph.type(logits).rows, options);
  return graph.append(std::move(op), std::move(inputs))[0];
}

const std::array<float, kMaxSegments>* bce_with_logits_weights(const Op& op) {
  const auto* loss = dynamic_cast<const BceWithLogits*>(&op);
  return loss == nullptr ? nullptr : &loss->weights();
}

}  // namespace gradflip::ops
