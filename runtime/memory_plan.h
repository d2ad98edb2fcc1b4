// Decides, before the first step, how the batch is cut and where every value lives while the phases
// run. Values that are never in use at the same time share memory (lifetimes.h).
//
// Where batches are cut, values of the batch that live in one phase are in an arena per worker, and
// the few that cross phases in an arena per piece of the batch. Views (reshapes, slices, the
// forward of grl) own nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/context.h"
#include "runtime/graph.h"
#include "runtime/parameters.h"
#include "runtime/phases.h"
#include "runtime/sharding.h"
#include "runtime/shown_memory.h"

namespace gradflip {

enum class Space {
  kExternal,   // bound by the graph's user
  kWeights,    // the flat weights, or another bank of them
  kGradients,  // the flat gradients; partial sums lie in each shard's block as these do here
  kShared,     // one place for all; partial sums lie in each shard's block
  kWorker,     // an arena per worker, used again from piece to piece; where the batch stays whole,
               // the only one, for all values with rows
  kPiece,      // an arena for every piece of the batch
};

struct Placement {
  Space space = Space::kShared;
  std::int64_t offset = 0;  // bytes within the space
  int bank = 0;             // kWeights: of ParameterBlocks::bank
  std::int64_t sum_offset =
      -1;  // a sum over the batch that is cut: bytes within a shard's block of partial sums
  ShownMemory shown;  // a view: of whom; pointers come from there
  bool part = false;  // written into the root, another sum; never there by itself
  bool kept = false;  // kShared: until the step is over (lifetimes.h)
};

struct MemoryPlan {
  std::vector<Phase> phases;
  std::vector<Placement> placements;  // by value id
  std::vector<char> accumulating;     // by node: adds its sum to what another wrote (joined_sums.h)
  BatchCut cut;
  Sharding sharding;  // of the largest batch
  std::int64_t shared_bytes = 0;
  std::int64_t worker_bytes = 0;
  std::int64_t piece_bytes = 0;
  std::int64_t sums_bytes = 0;  // of one shard's block
  std::int64_t workspace_bytes = 0;

  // What an executor with this many workers allocates.
  std::int64_t bytes(int workers) const;
};

// max_rows: rows of each segment that a run may have at most. The context decides how the batch is
// cut; where it is not, sums over the batch need no partial sums.
MemoryPlan plan_memory(const Graph& graph, const Parameters& parameters, const Context& context,
                       std::span<const std::int64_t> max_rows);

}  // namespace gradflip
