#include "runtime/ops/average.h"

#include "kernels/average.h"
#include "kernels/finite_guard.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// Inputs: averaged, weights, and those of decay, guard and kinds that there are.
class Average final : public Op {
 public:
  // `places`: the optional values as inputs, by their place among them.
  Average(float factor, const AverageValues& places) : factor_(factor), places_(places) {}

  std::string_view name() const override { return "average"; }
  bool updates_state() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(
        inputs[0].rows.none() && inputs[0].dtype == Dtype::kF32 && inputs[1] == inputs[0],
        message("average: ", inputs[0].text(), " of ", inputs[1].text()));
    const auto require = [&](Value place, const ValueType& type) {
      GRADFLIP_REQUIRE(place.none() || inputs[at(place)] == type,
                       message("average: ", inputs[at(place)].text(), ", not ", type.text()));
    };
    require(places_.decay, {Dtype::kF32, {}, {}});
    require(places_.guard, {Dtype::kU8, {static_cast<std::int64_t>(sizeof(FiniteGuard))}, {}});
    require(places_.kinds, {Dtype::kU8, {update_runs(inputs[0].shape.size())}, {}});
    return {};
  }

  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> /*outputs*/) const override {
    return {.bytes = 12.0 * static_cast<double>(inputs[0].size())};
  }

  std::int64_t divisible_work(std::span<const ValueType> inputs) const override {
    return inputs[0].shape.size();
  }

  void run(const Launch& launch) const override {
    const std::int64_t begin = launch.work_begin;
    GRADFLIP_REQUIRE(begin % kUpdateRun == 0, "average: a run is shared by threads");
    AverageUpdate update{.size = launch.work_end - begin,
                         .decay = {factor_},
                         .weight = launch.in<float>(1) + begin,
                         .averaged = static_cast<float*>(launch.inputs[0].data) + begin};
    if (!places_.decay.none()) update.decay.times = launch.in<float>(at(places_.decay));
    if (!places_.guard.none()) update.frozen = &launch.in<FiniteGuard>(at(places_.guard))->frozen;
    if (!places_.kinds.none()) {
      update.kinds = launch.in<UpdateKind>(at(places_.kinds)) + begin / kUpdateRun;
    }
    dispatch(launch, [&](auto ctx) { average(ctx, update); });
  }

 private:
  static std::size_t at(Value place) { return static_cast<std::size_t>(place.id); }

  float factor_;
  AverageValues places_;
};

}  // namespace

void average(Graph& graph, const AverageValues& values, float factor) {
  std::vector<Value> inputs{values.averaged, values.weights};
  AverageValues places = values;
  for (Value* value : {&places.decay, &places.guard, &places.kinds}) {
    if (value->none()) continue;
    inputs.push_back(*value);
    value->id = static_cast<std::int32_t>(inputs.size()) - 1;
  }
  graph.append(std::make_shared<const Average>(factor, places), std::move(inputs));
}

}  // namespace gradflip::ops
