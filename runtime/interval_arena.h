// Places blocks whose lifetimes are known: blocks that are never in use at the same time may share
// memory.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/lifetimes.h"

namespace gradflip {

class IntervalArena {
 public:
  // First fit: the lowest offset that no block placed before, and in use at the same time, covers.
  std::int64_t place(std::int64_t bytes, const Lifetime& life);

  // Bytes that all blocks need together.
  std::int64_t high_water() const { return high_water_; }

 private:
  struct Block {
    std::int64_t offset, bytes;
    Lifetime life;
  };
  std::vector<Block> blocks_;
  std::int64_t high_water_ = 0;
};

}  // namespace gradflip
