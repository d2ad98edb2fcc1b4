// Everything that a run changes from step to step, as named blocks: a checkpoint is a loop over
// them. What is random is a function of the seed and the step, so the next step depends on nothing
// else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/context.h"
#include "kernels/finite_guard.h"
#include "runtime/executor.h"
#include "runtime/memory.h"
#include "runtime/ops/update.h"
#include "runtime/parameter_group.h"
#include "runtime/parameters.h"
#include "runtime/shape.h"

namespace gradflip {

// One of the updates of a step: which parameters it changes, and what it keeps of its own.
struct UpdatedGroup {
  std::string name;  // of its blocks; no other group has it
  ParameterGroup over = {};
  std::vector<std::string> without_decay = {};  // parts of names, as update_kinds takes them
  std::size_t slots = 1;                        // ops::num_slots of its rule
  bool counts_runs = false;                     // Draft::runs
};

struct StateBlock {
  std::string name;  // "weights", "step", "adversary.slot.0"
  const Buffer* memory = nullptr;
  Dtype dtype = Dtype::kF32;
  std::int64_t count = 0;
};

class State {
 public:
  // Freezes the parameters. Weights, and their copies in further banks, get their initial values
  // from the seed; everything else starts at zero. Throws std::invalid_argument for two groups of
  // one name, and as update_kinds does.
  State(const Context& context, Parameters& parameters, std::uint64_t seed,
        std::span<const UpdatedGroup> groups, int banks = 1);
  State(const State&) = delete;  // executors refer to it
  State& operator=(const State&) = delete;

  const ParameterBlocks& parameter_blocks() const { return blocks_; }
  const Buffer& step() const { return step_; }  // i64
  FiniteGuard guard() const;                    // as it stands
  // The place of the group of this name. Throws std::invalid_argument if there is none.
  std::size_t group(std::string_view name) const;
  // i64: how often the group's draft has run, where it counts them.
  const Buffer& runs(std::size_t group) const { return groups_[group].runs; }
  // UpdateKind of each run; empty where the group is all parameters, in full.
  const Buffer& kinds(std::size_t group) const { return groups_[group].kinds; }

  // Binds those of the values of this group's update that are external: all but the learning rate
  // and the gradient scale.
  void bind(Executor& executor, const ops::UpdateValues& values, std::size_t group) const;

  // All that the next step depends on, in an order that depends on the constructor's arguments
  // alone. Gradients are not among it, nor what launches note for each other: that is back at its
  // start when a step is over.
  std::vector<StateBlock> blocks() const;

 private:
  struct Group {
    std::string name;
    Buffer kinds;
    std::vector<Buffer> slots;
    Buffer updates;  // i64
    Buffer runs;     // i64; empty where they are not counted
  };

  Context context_;
  std::int64_t flat_size_;
  ParameterBlocks blocks_;
  Buffer step_, guard_;
  std::vector<Group> groups_;
};

}  // namespace gradflip
