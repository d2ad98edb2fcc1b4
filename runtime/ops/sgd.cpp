#include "runtime/ops/sgd.h"

#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// Inputs: weights, gradients, velocity, guard, learning rate, then what must be complete.
class Sgd final : public Op {
 public:
  explicit Sgd(const SgdRange& range) : range_(range) {}

  const SgdRange& range() const { return range_; }

  std::string_view name() const override { return "sgd"; }
  bool updates_state() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(
        range_.begin >= 0 && range_.begin <= range_.end && range_.end <= inputs[0].shape.size() &&
            inputs[1] == inputs[0] && inputs[2] == inputs[0],
        message("sgd: elements [", range_.begin, ", ", range_.end, ") of ", inputs[0].text()));
    return {};
  }

  // Weight and velocity are read and written, gradients read; what must be complete is not.
  OpCost cost(std::span<const TensorView> /*inputs*/,
              std::span<const TensorView> /*outputs*/) const override {
    return {.bytes = 20.0 * static_cast<double>(range_.end - range_.begin)};
  }

  std::int64_t divisible_work(std::span<const ValueType> /*inputs*/) const override {
    return range_.end - range_.begin;
  }

  void run(const Launch& launch) const override {
    const std::int64_t begin = range_.begin + launch.work_begin;
    dispatch(launch, [&](auto ctx) {
      sgd(ctx, {.options = range_.options,
                .size = launch.work_end - launch.work_begin,
                .learning_rate = launch.in<float>(4),
                .frozen = &launch.in<FiniteGuard>(3)->frozen,
                .gradient = launch.in<float>(1) + begin,
                .weight = static_cast<float*>(launch.inputs[0].data) + begin,
                .velocity = static_cast<float*>(launch.inputs[2].data) + begin});
    });
  }

 private:
  SgdRange range_;
};

// Inputs: guard, step, the quantities, then what must be complete.
class CheckFinite final : public Op {
 public:
  explicit CheckFinite(std::int32_t quantities) : quantities_(quantities) {}

  std::string_view name() const override { return "check_finite"; }
  bool updates_state() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].shape == Shape{static_cast<std::int64_t>(sizeof(FiniteGuard))},
                     "check_finite: the guard has the wrong size");
    return {};
  }

  std::int32_t quantities() const { return quantities_; }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> /*outputs*/) const override {
    return {.bytes = bytes_of(inputs.subspan(2, static_cast<std::size_t>(quantities_)))};
  }

  void run(const Launch& launch) const override {
    auto* guard = static_cast<FiniteGuard*>(launch.inputs[0].data);
    const auto* step = launch.in<std::int64_t>(1);
    for (std::int32_t i = 0; i < quantities_; ++i) {
      const auto input = static_cast<std::size_t>(i) + 2;
      const auto* values = launch.in<float>(input);
      const bool reported = launch.watch.complete && values == launch.watch.gradients;
      dispatch(launch, [&](auto ctx) {
        if (reported) return check_reported(ctx, launch.watch.state, i, step, guard);
        check_finite(ctx, launch.inputs[input].size(), values, i, step, guard);
      });
    }
  }

 private:
  std::int32_t quantities_;
};

}  // namespace

void sgd(Graph& graph, const TrainingState& state, std::int64_t begin, std::int64_t end,
         const SgdOptions& options, Value learning_rate, std::span<const Value> after) {
  std::vector<Value> inputs{state.weights, state.gradients, state.velocity, state.guard,
                            learning_rate};
  inputs.insert(inputs.end(), after.begin(), after.end());
  graph.append(std::make_shared<const Sgd>(SgdRange{begin, end, options}), std::move(inputs));
}

void check_finite(Graph& graph, const TrainingState& state, std::span<const Value> quantities,
                  std::span<const Value> after) {
  std::vector<Value> inputs{state.guard, state.step};
  inputs.insert(inputs.end(), quantities.begin(), quantities.end());
  inputs.insert(inputs.end(), after.begin(), after.end());
  graph.append(std::make_shared<const CheckFinite>(static_cast<std::int32_t>(quantities.size())),
               std::move(inputs));
}

const SgdRange* sgd_range(const Op& op) {
  const auto* sgd = dynamic_cast<const Sgd*>(&op);
  return sgd == nullptr ? nullptr : &sgd->range();
}

std::int32_t check_finite_quantities(const Op& op) {
  const auto* check = dynamic_cast<const CheckFinite*>(&op);
  return check == nullptr ? 0 : check->quantities();
}

}  // namespace gradflip::ops
