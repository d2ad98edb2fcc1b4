// Running statistics of batch normalisation, which lie among the weights without being trained.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/graph.h"
#include "runtime/ops/moments.h"

namespace gradflip::ops {

// Which moments go where.
struct RunningStatistics {
  Value moments;                        // batch_moments'
  SegmentGroups groups = {};            // that they are of, ...
  std::size_t group = 0;                // ... and which of them is folded in
  std::int64_t pixels = 1;              // of each row
  std::int64_t mean = 0, variance = 0;  // where the running ones begin in the flat weights
  float momentum = 0.1F;                // of this batch in them
};

// running += times * momentum * (batch - running), of all in order: see kernels/moments.h. weights: f32 (size), the flat ones, changed in place. guard: u8
// (sizeof(FiniteGuard)), or none(): where it is frozen nothing is written. times: an f32 scalar, or
// none().
struct RunningUpdate {
  Value weights, guard, times;
};
void running_update(Graph& graph, const RunningUpdate& update,
                    std::span<const RunningStatistics> statistics);

}  // namespace gradflip::ops
