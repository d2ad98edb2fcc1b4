// From losses to a training step, for any network: gradients, the guard against values that are not
// finite, the update, and the memory that these keep from step to step.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/finite_guard.h"
#include "kernels/sgd.h"
#include "runtime/executor.h"
#include "runtime/graph.h"
#include "runtime/objective.h"
#include "runtime/ops/update.h"
#include "runtime/parameters.h"
#include "runtime/state.h"

namespace gradflip {

// External values, which TrainingMemory binds.
struct TrainingStep {
  Value step;
  ops::UpdateValues update;
};

// Appends the gradients of the sum of `terms` to the graph, and one SGD update of every parameter
// in `parameters`, all of which must be in the graph and reached by a loss. step: the external i64
// counter; the update raises it by one. learning_rate: an f32 scalar, most often
// ops::evaluate_schedule. Guarded quantities are the terms' losses, in order, then the
// gradients: FiniteGuard::quantity counts them so. Throws std::invalid_argument for a parameter
// that no loss depends on, and unless the graph's parameters are those of `parameters`, all of
// them.
TrainingStep append_training_step(Graph& graph, Value step, std::span<const Term> terms,
                                  const Parameters& parameters, const SgdOptions& options,
                                  Value learning_rate);

// What a training run owns besides its data. Must outlive the executor that it is bound to.
class TrainingMemory {
 public:
  // Weights get their initial values from the seed; everything else starts at zero. Freezes the
  // parameters.
  TrainingMemory(const Context& context, Parameters& parameters, std::uint64_t seed);

  void bind(Executor& executor, const TrainingStep& step) const;
  const ParameterBlocks& blocks() const { return state_.parameter_blocks(); }
  // The guard as it stands.
  FiniteGuard guard() const { return state_.guard(); }

 private:
  State state_;
};

}  // namespace gradflip
