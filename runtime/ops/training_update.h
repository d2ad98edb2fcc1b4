// The end of a training step as one node; fuse_training_update makes it of record, check_finite,
// sgd and advance_step.
#pragma once

#include <span>

#include "runtime/ops/sgd.h"

namespace gradflip::ops {

// losses: f32 scalars, guarded as quantities 0, 1, ...; the gradients come after them. recorded:
// the scalars of a row of `ring`; none() and empty where nothing is recorded. `after`: the
// gradients that must be complete, all written by ops that watch them. One launch: where threads
// share work, sgd apart is faster.
struct TrainingUpdateInputs {
  TrainingState state;
  Value learning_rate;
  std::span<const Value> losses;
  Value ring;
  std::span<const Value> recorded;
  std::span<const Value> after;
};
void training_update(Graph& graph, const TrainingUpdateInputs& inputs, const SgdOptions& options);

}  // namespace gradflip::ops
