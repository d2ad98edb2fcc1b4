#include "runtime/ops/weighed_loss.h"

#include <algorithm>

#include "kernels/bce_with_logits.h"
#include "kernels/softmax_cross_entropy.h"

namespace gradflip::ops {
namespace {

// What the two losses differ in.
void require_fits(const SoftmaxCrossEntropyAttributes& /*loss*/,
                  std::span<const ValueType> inputs) {
  require_softmax_cross_entropy(inputs[0], inputs[1]);
}
void require_fits(const BceWithLogitsAttributes& /*loss*/, std::span<const ValueType> inputs) {
  require_bce_with_logits(inputs[0], inputs[1]);
}

void run_segment(const SoftmaxCrossEntropyAttributes& loss, const Launch& launch,
                 const WeighedSegment& segment, Scale scale, Write write) {
  const std::int64_t num_classes = launch.inputs[0].shape[0];
  const std::int64_t first = segment.first * num_classes;
  dispatch(launch, [&](auto ctx) {
    gradflip::softmax_cross_entropy(ctx, {segment.count, num_classes}, loss.label_smoothing, scale,
                                    launch.in<float>(0) + first,
                                    launch.in<std::int32_t>(1) + segment.first, write,
                                    launch.out<float>(0), launch.out<float>(1) + first);
  });
}
void run_segment(const BceWithLogitsAttributes& loss, const Launch& launch,
                 const WeighedSegment& segment, Scale scale, Write write) {
  const std::int64_t first = segment.first;
  dispatch(launch, [&](auto ctx) {
    gradflip::bce_with_logits(ctx, segment.count, loss.label_smoothing, scale,
                              launch.in<float>(0) + first, launch.in<float>(1) + first, write,
                              launch.out<float>(0), launch.out<float>(1) + first);
  });
}

class WeighedLoss final : public OpWith<WeighedLossAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "weighed_loss"; }
  Gradient gradient_kind() const override { return Gradient::kRule; }
  std::size_t num_losses() const override { return 1; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    std::visit([&](const auto& loss) { require_fits(loss, inputs); }, attributes().loss);
    GRADFLIP_REQUIRE(inputs.size() == 2 || inputs[2] == (ValueType{Dtype::kF32, {}, {}}),
                     "weighed_loss: times must be an f32 scalar");
    return {{Dtype::kF32, {}, {}}, inputs[0]};
  }

  std::vector<Value> gradient(const GradientRequest& request) const override {
    GRADFLIP_REQUIRE(std::count(request.wanted.begin() + 1, request.wanted.end(), 1) == 0,
                     "autodiff: weighed_loss has no gradient rule for its labels and times; put a "
                     "stop_gradient before them if they are meant as constants");
    std::vector<Value> dinputs(request.node.inputs.size());
    dinputs[0] = request.node.outputs[1];
    return dinputs;
  }

  void run(const Launch& launch) const override {
    const float* times = launch.inputs.size() > 2 ? launch.in<float>(2) : nullptr;
    Write write = launch.write;
    for_each_weighed_segment(
        launch.segments, attributes().rows, attributes().weights,
        [&](const WeighedSegment& segment) {
          std::visit(
              [&](const auto& loss) {
                run_segment(loss, launch, segment, {segment.weight, times}, write);
              },
              attributes().loss);
          write = Write::kAccumulate;
        });
  }
};

}  // namespace

Value weighed_loss(Graph& graph, Value logits, Value labels, Value times, const RowLoss& loss,
                   const RowWeights& weights) {
  std::vector<Value> inputs{logits, labels};
  if (!times.none()) inputs.push_back(times);
  auto op = std::make_shared<const WeighedLoss>(
      WeighedLossAttributes{loss, graph.type(logits).rows, weights});
  return graph.append(std::move(op), std::move(inputs))[0];
}

}  // namespace gradflip::ops
