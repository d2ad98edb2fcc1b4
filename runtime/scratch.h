// Memory that shards are computed in, one after the other.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/context.h"
#include "runtime/memory.h"

namespace gradflip {

struct Scratch {
  Buffer arena, workspace;
};

// One for each worker or for each shard, whichever are fewer: no more can be in use at once.
class ScratchPool {
 public:
  ScratchPool(const Context& context, int workers, std::int64_t shards, std::int64_t arena_bytes,
              std::int64_t workspace_bytes);

  // The worker's own, so that it stays in its core's cache, unless shards are fewer: then the
  // shard's. A shard is one worker's at a time.
  const Scratch& of(int worker, std::int64_t shard) const {
    return list_[static_cast<std::size_t>(by_worker_ ? worker : shard)];
  }

 private:
  bool by_worker_;
  std::vector<Scratch> list_;
};

}  // namespace gradflip
