#include "runtime/state.h"

#include <algorithm>

#include "kernels/require.h"

namespace gradflip {

State::State(const Context& context, Parameters& parameters, std::uint64_t seed,
             std::span<const UpdatedGroup> groups, int banks)
    : context_(context),
      flat_size_(parameters.flat_size()),
      blocks_(context, parameters, banks),
      step_(context, sizeof(std::int64_t)),
      guard_(context, sizeof(FiniteGuard)) {
  for (int bank = 0; bank < banks; ++bank) {
    initialize(context, parameters, seed, blocks_.bank(bank));
  }
  const FiniteGuard open;
  copy_from_host(context, guard_.data(), &open, sizeof(open));
  for (const UpdatedGroup& group : groups) {
    GRADFLIP_REQUIRE(std::none_of(groups_.begin(), groups_.end(),
                                  [&](const Group& other) { return other.name == group.name; }),
                     message("state: two groups are called ", group.name));
    GRADFLIP_REQUIRE(group.slots <= ops::kMaxSlots,
                     message("state: ", group.name, " has ", group.slots, " slots"));
    const std::vector<UpdateKind> kinds = update_kinds(parameters, group.over, group.without_decay);
    Group& kept = groups_.emplace_back();
    kept.name = group.name;
    kept.kinds = Buffer(context, static_cast<std::int64_t>(kinds.size()));
    copy_from_host(context, kept.kinds.data(), kinds.data(), kept.kinds.bytes());
    for (std::size_t slot = 0; slot < group.slots; ++slot) {
      kept.slots.emplace_back(context, flat_size_ * 4);
    }
    kept.updates = Buffer(context, sizeof(std::int64_t));
    if (group.counts_runs) kept.runs = Buffer(context, sizeof(std::int64_t));
  }
}

FiniteGuard State::guard() const {
  FiniteGuard guard;
  copy_to_host(context_, &guard, guard_.data(), sizeof(guard));
  return guard;
}

std::size_t State::group(std::string_view name) const {
  const auto found = std::find_if(groups_.begin(), groups_.end(),
                                  [&](const Group& group) { return group.name == name; });
  GRADFLIP_REQUIRE(found != groups_.end(), message("state: no group is called ", name));
  return static_cast<std::size_t>(found - groups_.begin());
}

void State::bind(Executor& executor, const ops::UpdateValues& values, std::size_t group) const {
  const Group& kept = groups_[group];
  const auto bind = [&](Value value, const Buffer& memory) {
    if (!value.none()) executor.bind(value, memory.data());
  };
  bind(values.weights, blocks_.weights);
  bind(values.gradients, blocks_.gradients);
  for (std::size_t slot = 0; slot < kept.slots.size(); ++slot) {
    bind(values.slots[slot], kept.slots[slot]);
  }
  bind(values.guard, guard_);
  bind(values.updates, kept.updates);
  bind(values.kinds, kept.kinds);
}

std::vector<StateBlock> State::blocks() const {
  std::vector<StateBlock> blocks;
  const auto add = [&](std::string name, const Buffer& memory, Dtype dtype) {
    blocks.push_back({std::move(name), &memory, dtype, memory.bytes() / bytes_of(dtype)});
  };
  add("weights", blocks_.weights, Dtype::kF32);
  for (int bank = 1; bank < blocks_.num_banks(); ++bank) {
    add(message("weights.", bank), blocks_.bank(bank), Dtype::kF32);
  }
  add("step", step_, Dtype::kI64);
  add("guard", guard_, Dtype::kU8);
  for (const Group& group : groups_) {
    for (std::size_t slot = 0; slot < group.slots.size(); ++slot) {
      add(message(group.name, ".slot.", slot), group.slots[slot], Dtype::kF32);
    }
    add(group.name + ".updates", group.updates, Dtype::kI64);
    if (group.runs.bytes() > 0) add(group.name + ".runs", group.runs, Dtype::kI64);
  }
  return blocks;
}

}  // namespace gradflip
