#include "runtime/scratch.h"

#include <algorithm>

namespace gradflip {

ScratchPool::ScratchPool(const Context& context, int workers, std::int64_t shards,
                         std::int64_t arena_bytes, std::int64_t workspace_bytes)
    : by_worker_(workers <= shards) {
  for (std::int64_t i = 0; i < std::min<std::int64_t>(workers, shards); ++i) {
    list_.push_back({Buffer(context, arena_bytes), Buffer(context, workspace_bytes)});
  }
}

}  // namespace gradflip
