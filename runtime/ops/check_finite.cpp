#include "runtime/ops/check_finite.h"

#include "runtime/op.h"

namespace gradflip::ops {
namespace {

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

void check_finite(Graph& graph, Value guard, Value step, std::span<const Value> quantities,
                  std::span<const Value> after) {
  std::vector<Value> inputs{guard, step};
  inputs.insert(inputs.end(), quantities.begin(), quantities.end());
  inputs.insert(inputs.end(), after.begin(), after.end());
  graph.append(std::make_shared<const CheckFinite>(static_cast<std::int32_t>(quantities.size())),
               std::move(inputs));
}

std::int32_t check_finite_quantities(const Op& op) {
  const auto* check = dynamic_cast<const CheckFinite*>(&op);
  return check == nullptr ? 0 : check->quantities();
}

}  // namespace gradflip::ops
