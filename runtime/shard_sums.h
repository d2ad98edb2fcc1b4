// Sums over a batch that is cut: every shard adds up its own part in a block of its own, and at the
// end of a phase the blocks are added up, in a tree that does not depend on the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/context.h"
#include "kernels/step_state.h"
#include "runtime/launch_observer.h"
#include "runtime/memory.h"
#include "runtime/workers.h"

namespace gradflip {

// A sum: where it lies in every shard's block, and where its total goes.
struct ShardSum {
  std::int64_t offset = 0;  // bytes, a multiple of 64; zeros follow up to the next one
  std::int64_t size = 0;    // floats
  float* total = nullptr;
  bool gradient = false;  // reported where it is not finite
};

// Pieces of what threads share out. Sums that are neighbours in the blocks and in their totals are
// cut as one: then the pieces of all gradients are the very ones that an update of all weights is
// shared out in, and a thread finds in its core's cache what it has just added up.
std::vector<ShardSum> chunks_of(std::vector<ShardSum> sums, std::int64_t chunk_floats);

class ShardSums {
 public:
  // A block of this many bytes, zeros, for each of `shards` shards.
  ShardSums(const Context& context, std::int64_t block_bytes, std::int64_t shards);

  std::byte* part(std::int64_t shard, std::int64_t offset) const {
    return blocks_.data() + shard * block_bytes_ + offset;
  }

  // Totals of the first `shards` blocks, chunk by chunk; overwrites. Gradients that are not finite
  // are reported to `watch`. observer may be null. Allocates nothing.
  void add_up(std::span<const ShardSum> chunks, std::int64_t shards, const GradientWatch& watch,
              Workers& workers, LaunchObserver* observer) const;

 private:
  std::int64_t block_bytes_;
  Buffer blocks_;
};

}  // namespace gradflip
