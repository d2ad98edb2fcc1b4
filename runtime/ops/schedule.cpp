#include "runtime/ops/schedule.h"

#include "kernels/advance_step.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

class EvaluateSchedule final : public OpWith<Schedule> {
 public:
  using OpWith::OpWith;

  std::string_view name() const override { return "evaluate_schedule"; }
  Gradient gradient_kind() const override { return Gradient::kConstant; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0] == (ValueType{Dtype::kI64, {}, {}}),
                     "evaluate_schedule: step must be an i64 scalar");
    return {{Dtype::kF32, {}, {}}};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      evaluate_schedule(ctx, attributes(), launch.in<std::int64_t>(0), launch.out<float>(0));
    });
  }
};

class AdvanceStep final : public OpWith<AdvanceStepAttributes> {
 public:
  std::string_view name() const override { return "advance_step"; }
  bool updates_state() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(inputs[0] == (ValueType{Dtype::kI64, {}, {}}),
                     "advance_step: step must be an i64 scalar");
    return {};
  }

  void run(const Launch& launch) const override {
    dispatch(launch, [&](auto ctx) {
      advance_step(ctx, static_cast<std::int64_t*>(launch.inputs[0].data));
    });
  }
};

}  // namespace

Value evaluate_schedule(Graph& graph, Value step, const Schedule& schedule) {
  return graph.append_one(std::make_shared<const EvaluateSchedule>(schedule), {step});
}

void advance_step(Graph& graph, Value step) {
  graph.append(std::make_shared<const AdvanceStep>(), {step});
}

}  // namespace gradflip::ops
