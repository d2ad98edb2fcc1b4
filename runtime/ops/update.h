// The optimizer's update of the flat weights, by one of its rules.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "kernels/adam.h"
#include "kernels/sgd.h"
#include "runtime/graph.h"

namespace gradflip::ops {

using OptimizerRule = std::variant<SgdOptions, AdamOptions>;

// Flat blocks that a rule keeps beside the weights, zero at first: 1, the velocity, or 2, the first
// and second moments.
std::size_t num_slots(const OptimizerRule& rule);

inline constexpr std::size_t kMaxSlots = 2;

// What an update reads, and what it changes in place: weights, slots and updates. External values,
// but for the learning rate and the gradient scale, which most often are computed.
struct UpdateValues {
  Value weights = {}, gradients = {};       // f32 (size)
  std::array<Value, kMaxSlots> slots = {};  // the same; none() past num_slots
  Value learning_rate = {};                 // f32 scalar
  Value guard = {};                         // u8 (sizeof(FiniteGuard)); none(): never frozen
  Value updates = {};                       // i64 scalar, where a rule counts them: AdamOptions
  Value kinds = {};           // u8 (update_runs(size)), UpdateKind each; none(): all in full
  Value gradient_scale = {};  // f32 scalar, most often gradient_norm's; none(): 1
};

// The external values of an update by this rule of a block of `size` elements: all but the learning
// rate and the gradient scale. `kinds`: whether it needs some.
UpdateValues declare_update(Graph& graph, const OptimizerRule& rule, std::int64_t size, bool kinds);

// Appends the update, and the count of it where the rule has one. `after`: the gradients that must
// be complete. Throws std::invalid_argument where a value is missing or has another type.
void update(Graph& graph, const UpdateValues& values, const OptimizerRule& rule,
            std::span<const Value> after);

// What fusion needs to know of an update's node: its rule and its values; nothing for other nodes.
struct UpdateNode {
  OptimizerRule rule;
  UpdateValues values;
};
std::optional<UpdateNode> update_of(const Node& node);

}  // namespace gradflip::ops
