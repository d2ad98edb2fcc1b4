#include "runtime/ops/training_update.h"

#include <array>

#include "kernels/finite_guard.h"
#include "kernels/training_update.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// Inputs: weights, gradients, velocity, step, guard, learning rate, the losses, the ring if there
// is one, the recorded scalars, then what must be complete.
class TrainingUpdateOp final : public Op {
 public:
  TrainingUpdateOp(const SgdOptions& options, std::size_t losses, bool has_ring,
                   std::size_t recorded)
      : options_(options),
        losses_(losses),
        ring_(kFirstLoss + losses),
        first_recorded_(ring_ + (has_ring ? 1 : 0)),
        recorded_(recorded) {}

  std::span<const Value> losses(const Node& node) const {
    return std::span(node.inputs).subspan(kFirstLoss, losses_);
  }

  std::string_view name() const override { return "training_update"; }
  bool updates_state() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[1] == inputs[0] && inputs[2] == inputs[0] &&
                         losses_ <= kMaxGuardedLosses && recorded_ <= kMaxRecordedScalars,
                     message("training_update: weights ", inputs[0].text(), ", gradients ",
                             inputs[1].text(), ", velocity ", inputs[2].text(), ", ", losses_,
                             " losses, ", recorded_, " scalars"));
    GRADFLIP_REQUIRE(
        has_ring() == (recorded_ > 0) &&
            (!has_ring() || inputs[ring_].shape[1] == static_cast<std::int64_t>(recorded_)),
        "training_update: the ring has other columns than scalars");
    return {};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> /*outputs*/) const override {
    return {.bytes = 20.0 * static_cast<double>(inputs[0].size())};
  }

  void run(const Launch& launch) const override {
    std::array<const float*, kMaxGuardedLosses> losses{};
    std::array<const float*, kMaxRecordedScalars> recorded{};
    for (std::size_t i = 0; i < losses_; ++i) losses[i] = launch.in<float>(kFirstLoss + i);
    for (std::size_t i = 0; i < recorded_; ++i) recorded[i] = launch.in<float>(first_recorded_ + i);
    const TrainingUpdate update{.options = options_,
                                .size = launch.inputs[0].size(),
                                .learning_rate = launch.in<float>(5),
                                .gradient = launch.in<float>(1),
                                .weight = in_place<float>(launch, 0),
                                .velocity = in_place<float>(launch, 2),
                                .losses = std::span(losses.data(), losses_),
                                .recorded = std::span(recorded.data(), recorded_),
                                .capacity = has_ring() ? launch.inputs[ring_].shape[0] : 1,
                                .ring = has_ring() ? in_place<float>(launch, ring_) : nullptr,
                                .step = in_place<std::int64_t>(launch, 3),
                                .guard = in_place<FiniteGuard>(launch, 4),
                                .state = launch.watch.state};
    dispatch(launch, [&](auto ctx) { training_update(ctx, update); });
  }

 private:
  static constexpr std::size_t kFirstLoss = 6;

  bool has_ring() const { return first_recorded_ > ring_; }

  // An external input that the operation updates.
  template <typename T>
  static T* in_place(const Launch& launch, std::size_t input) {
    return static_cast<T*>(launch.inputs[input].data);
  }

  SgdOptions options_;
  std::size_t losses_, ring_, first_recorded_, recorded_;
};

}  // namespace

void training_update(Graph& graph, const TrainingUpdateInputs& inputs, const SgdOptions& options) {
  const UpdateValues& update = inputs.update;
  std::vector<Value> values{update.weights, update.gradients, update.slots[0],
                            inputs.step,    update.guard,     update.learning_rate};
  values.insert(values.end(), inputs.losses.begin(), inputs.losses.end());
  if (!inputs.ring.none()) values.push_back(inputs.ring);
  values.insert(values.end(), inputs.recorded.begin(), inputs.recorded.end());
  values.insert(values.end(), inputs.after.begin(), inputs.after.end());
  graph.append(std::make_shared<const TrainingUpdateOp>(
                   options, inputs.losses.size(), !inputs.ring.none(), inputs.recorded.size()),
               std::move(values));
}

std::span<const Value> guarded_losses(const Node& node) {
  const auto* op = dynamic_cast<const TrainingUpdateOp*>(node.op.get());
  return op == nullptr ? std::span<const Value>() : op->losses(node);
}

}  // namespace gradflip::ops
