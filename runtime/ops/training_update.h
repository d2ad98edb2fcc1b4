// The end of a training step as one node; fuse_training_update makes it of record, check_finite, an
// update by SGD and advance_step.
#pragma once

#include <span>

#include "kernels/sgd.h"
#include "runtime/ops/update.h"

namespace gradflip::ops {

// update: with a guard, without kinds or a gradient scale. step: the external counter. losses: f32
// scalars, guarded as quantities 0, 1, ...; the gradients come after them. recorded: the scalars of
// a row of `ring`; none() and empty where nothing is recorded. `after`: the gradients that must be
// complete, all written by ops that watch them. One launch: where threads share work, the update
// apart is faster.
struct TrainingUpdateInputs {
  UpdateValues update;
  Value step;
  std::span<const Value> losses;
  Value ring;
  std::span<const Value> recorded;
  std::span<const Value> after;
};
// options: without Nesterov's momentum.
void training_update(Graph& graph, const TrainingUpdateInputs& inputs, const SgdOptions& options);

// The losses that a training_update guards; empty for other nodes.
std::span<const Value> guarded_losses(const Node& node);

}  // namespace gradflip::ops
