#include "runtime/interval_arena.h"

#include <algorithm>

namespace gradflip {

std::int64_t IntervalArena::place(std::int64_t bytes, const Lifetime& life) {
  std::int64_t offset = 0;
  std::vector<Block> alive;
  for (const Block& block : blocks_) {
    if (block.life.meets(life)) alive.push_back(block);
  }
  std::sort(alive.begin(), alive.end(),
            [](const Block& a, const Block& b) { return a.offset < b.offset; });
  for (const Block& block : alive) {
    if (offset + bytes <= block.offset) break;
    offset = std::max(offset, block.offset + block.bytes);
  }
  blocks_.push_back({offset, bytes, life});
  high_water_ = std::max(high_water_, offset + bytes);
  return offset;
}

}  // namespace gradflip
