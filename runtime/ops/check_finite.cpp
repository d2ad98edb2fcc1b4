#include "runtime/ops/check_finite.h"

#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// Inputs: guard, step, the quantities, then what must be complete.
class CheckFinite final : public OpWith<CheckFiniteAttributes> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "check_finite"; }
  bool updates_state() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0].shape == Shape{static_cast<std::int64_t>(sizeof(FiniteGuard))},
                     "check_finite: the guard has the wrong size");
    return {};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> /*outputs*/) const override {
    return {.bytes = bytes_of(inputs.subspan(2, static_cast<std::size_t>(attributes().count)))};
  }

  void run(const Launch& launch) const override {
    auto* guard = static_cast<FiniteGuard*>(launch.inputs[0].data);
    const auto* step = launch.in<std::int64_t>(1);
    for (std::int32_t i = 0; i < attributes().count; ++i) {
      const auto input = static_cast<std::size_t>(i) + 2;
      const auto* values = launch.in<float>(input);
      const bool reported = launch.watch.complete && values == launch.watch.gradients;
      dispatch(launch, [&](auto ctx) {
        const std::int32_t quantity = attributes().first + i;
        if (reported) return check_reported(ctx, launch.watch.state, quantity, step, guard);
        check_finite(ctx, launch.inputs[input].size(), values, quantity, step, guard);
      });
    }
  }
};

}  // namespace

void check_finite(Graph& graph, Value guard, Value step, std::span<const Value> quantities,
                  std::span<const Value> after, std::int32_t first) {
  std::vector<Value> inputs{guard, step};
  inputs.insert(inputs.end(), quantities.begin(), quantities.end());
  inputs.insert(inputs.end(), after.begin(), after.end());
  const CheckFiniteAttributes attributes{first, static_cast<std::int32_t>(quantities.size())};
  graph.append(std::make_shared<const CheckFinite>(attributes), std::move(inputs));
}

}  // namespace gradflip::ops
