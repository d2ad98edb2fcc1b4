#include "runtime/ops/update.h"

#include <string>

#include "kernels/advance_step.h"
#include "kernels/finite_guard.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

ValueType scalar_type() { return {Dtype::kF32, {}, {}}; }
ValueType counter_type() { return {Dtype::kI64, {}, {}}; }
ValueType guard_type() {
  return {Dtype::kU8, {static_cast<std::int64_t>(sizeof(FiniteGuard))}, {}};
}
ValueType kinds_type(std::int64_t size) { return {Dtype::kU8, {update_runs(size)}, {}}; }

bool counts_updates(const OptimizerRule& rule) { return std::holds_alternative<AdamOptions>(rule); }

const char* name_of(const OptimizerRule& rule) {
  return std::holds_alternative<SgdOptions>(rule) ? "sgd" : "adam";
}

// The members of UpdateValues in the order in which a node has them: all that are not none().
template <typename Values, typename Visit>
void for_each_value(Values& values, const Visit& visit) {
  visit(values.weights);
  visit(values.gradients);
  visit(values.learning_rate);
  for (auto& slot : values.slots) visit(slot);
  visit(values.guard);
  visit(values.updates);
  visit(values.kinds);
  visit(values.gradient_scale);
}

// Inputs: those of the values that are not none(), then what must be complete.
class Update final : public Op {
 public:
  // `places`: the values as inputs, by their place among them.
  Update(const OptimizerRule& rule, const UpdateValues& places) : rule_(rule), places_(places) {}

  const OptimizerRule& rule() const { return rule_; }
  const UpdateValues& places() const { return places_; }

  std::string_view name() const override { return name_of(rule_); }
  bool updates_state() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const std::size_t slots = num_slots(rule_);
    const ValueType& flat = inputs[0];
    require(inputs, places_.gradients, flat, "gradients");
    require(inputs, places_.learning_rate, scalar_type(), "learning rate");
    for (std::size_t slot = 0; slot < kMaxSlots; ++slot) {
      if (slot < slots) require(inputs, places_.slots[slot], flat, "slot");
      GRADFLIP_REQUIRE(slot < slots || places_.slots[slot].none(),
                       message(name(), ": keeps ", slots, " slots beside the weights"));
    }
    if (!places_.guard.none()) require(inputs, places_.guard, guard_type(), "guard");
    if (counts_updates(rule_))
      require(inputs, places_.updates, counter_type(), "number of updates");
    if (!places_.kinds.none()) {
      require(inputs, places_.kinds, kinds_type(flat.shape.size()), "kinds");
    }
    if (!places_.gradient_scale.none()) {
      require(inputs, places_.gradient_scale, scalar_type(), "gradient scale");
    }
    return {};
  }

  // Weights and slots are read and written, gradients read; what must be complete is not.
  OpCost cost(std::span<const TensorView> inputs,
              std::span<const TensorView> /*outputs*/) const override {
    const auto slots = static_cast<double>(num_slots(rule_));
    return {.bytes = (12.0 + 8.0 * slots) * static_cast<double>(inputs[0].size())};
  }

  std::int64_t divisible_work(std::span<const ValueType> inputs) const override {
    return inputs[0].shape.size();
  }

  void run(const Launch& launch) const override {
    std::visit([&](const auto& options) { run(launch, options); }, rule_);
  }

 private:
  void require(std::span<const ValueType> inputs, Value place, const ValueType& type,
               const char* what) const {
    GRADFLIP_REQUIRE(!place.none(), message(name(), ": has no ", what));
    const ValueType& got = inputs[static_cast<std::size_t>(place.id)];
    GRADFLIP_REQUIRE(got == type,
                     message(name(), ": ", what, " ", got.text(), ", not ", type.text()));
  }

  // The launch's part of what a value points to; null where there is none.
  template <typename T>
  static T* at(const Launch& launch, Value place, std::int64_t offset = 0) {
    if (place.none()) return nullptr;
    return static_cast<T*>(launch.inputs[static_cast<std::size_t>(place.id)].data) + offset;
  }

  // What every rule's arguments have.
  template <typename Arguments>
  Arguments common(const Launch& launch) const {
    const std::int64_t begin = launch.work_begin;
    GRADFLIP_REQUIRE(begin % kUpdateRun == 0, message(name(), ": a run is shared by threads"));
    Arguments arguments;
    arguments.size = launch.work_end - begin;
    arguments.learning_rate = at<const float>(launch, places_.learning_rate);
    const auto* guard = at<const FiniteGuard>(launch, places_.guard);
    arguments.frozen = guard == nullptr ? nullptr : &guard->frozen;
    arguments.kinds = at<const UpdateKind>(launch, places_.kinds, begin / kUpdateRun);
    arguments.gradient_scale = at<const float>(launch, places_.gradient_scale);
    arguments.gradient = at<const float>(launch, places_.gradients, begin);
    arguments.weight = at<float>(launch, places_.weights, begin);
    return arguments;
  }

  void run(const Launch& launch, const SgdOptions& options) const {
    auto arguments = common<SgdUpdate>(launch);
    arguments.options = options;
    arguments.velocity = at<float>(launch, places_.slots[0], launch.work_begin);
    dispatch(launch, [&](auto ctx) { sgd(ctx, arguments); });
  }

  void run(const Launch& launch, const AdamOptions& options) const {
    auto arguments = common<AdamUpdate>(launch);
    arguments.options = options;
    arguments.updates = at<const std::int64_t>(launch, places_.updates);
    arguments.first_moment = at<float>(launch, places_.slots[0], launch.work_begin);
    arguments.second_moment = at<float>(launch, places_.slots[1], launch.work_begin);
    dispatch(launch, [&](auto ctx) { adam(ctx, arguments); });
  }

  OptimizerRule rule_;
  UpdateValues places_;
};

// Inputs: the counter, and the guard if there is one.
class CountUpdate final : public Op {
 public:
  std::string_view name() const override { return "count_update"; }
  bool updates_state() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> /*inputs*/) const override { return {}; }

  void run(const Launch& launch) const override {
    const std::int32_t* frozen =
        launch.inputs.size() > 1 ? &launch.in<FiniteGuard>(1)->frozen : nullptr;
    dispatch(launch, [&](auto ctx) {
      count_update(ctx, frozen, static_cast<std::int64_t*>(launch.inputs[0].data));
    });
  }
};

}  // namespace

std::size_t num_slots(const OptimizerRule& rule) {
  return std::holds_alternative<SgdOptions>(rule) ? 1 : 2;
}

UpdateValues declare_update(Graph& graph, const OptimizerRule& rule, std::int64_t size,
                            bool kinds) {
  const ValueType flat{Dtype::kF32, {size}, {}};
  UpdateValues values;
  values.weights = graph.external("weights", flat);
  values.gradients = graph.external("gradients", flat);
  for (std::size_t slot = 0; slot < num_slots(rule); ++slot) {
    values.slots[slot] = graph.external("slot " + std::to_string(slot), flat);
  }
  values.guard = graph.external("guard", guard_type());
  if (counts_updates(rule)) values.updates = graph.external("updates", counter_type());
  if (kinds) values.kinds = graph.external("kinds", kinds_type(size));
  return values;
}

void update(Graph& graph, const UpdateValues& values, const OptimizerRule& rule,
            std::span<const Value> after) {
  if (const auto* options = std::get_if<AdamOptions>(&rule)) require_valid(*options);
  GRADFLIP_REQUIRE(!values.weights.none(), "update: has no weights");
  std::vector<Value> inputs;
  UpdateValues places = values;
  for_each_value(places, [&](Value& value) {
    if (value.none()) return;
    inputs.push_back(value);
    value.id = static_cast<std::int32_t>(inputs.size()) - 1;
  });
  inputs.insert(inputs.end(), after.begin(), after.end());
  graph.append(std::make_shared<const Update>(rule, places), std::move(inputs));
  if (!counts_updates(rule)) return;
  std::vector<Value> counted{values.updates};
  if (!values.guard.none()) counted.push_back(values.guard);
  graph.append(std::make_shared<const CountUpdate>(), std::move(counted));
}

std::optional<UpdateNode> update_of(const Node& node) {
  const auto* op = dynamic_cast<const Update*>(node.op.get());
  if (op == nullptr) return {};
  UpdateNode found{op->rule(), op->places()};
  for_each_value(found.values, [&](Value& value) {
    if (!value.none()) value = node.inputs[static_cast<std::size_t>(value.id)];
  });
  return found;
}

}  // namespace gradflip::ops
