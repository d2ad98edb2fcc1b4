// The happens-before relation of a launch: which earlier accesses come before what a thread does
// now, whatever the schedule. __syncthreads orders a block, __syncwarp the lanes of its mask,
// __threadfence with atomics orders blocks (publications.h). Shuffles, votes, ldmatrix and mma
// order nothing, as in CUDA. Launches of one process follow each other.
#pragma once

#include <vector>

#include "tests/simt/race/access.h"
#include "tests/simt/race/publications.h"
#include "tests/simt/race/warp_clocks.h"

namespace simt::race {

class Ordering {
 public:
  void begin_launch();
  void begin_block(unsigned threads);
  void block_barrier();
  void warp_barrier(unsigned warp, std::uint32_t mask) { clocks_.meet(warp, mask); }
  void fence(unsigned thread);
  void atomic(unsigned thread, const void* address) { publications_.atomic(thread, address); }

  // Intervals before these belong to other launches; to other blocks.
  Interval launch_first() const { return launch_first_; }
  Interval block_first() const { return block_first_; }
  // How many blocks of this launch had begun, less one.
  std::size_t block_of(Interval interval) const;

  Access access(unsigned thread, Pc pc, bool atomic) const {
    return {now_, pc, thread, clocks_.now(thread), atomic};
  }
  // Does it come before what `thread` does now?
  bool is_before(const Access& earlier, unsigned thread) const {
    if (earlier.interval() < launch_first_) return true;
    if (earlier.interval() >= block_first_) {
      if (earlier.interval() < now_ || earlier.thread() == thread) return true;
      if (earlier.thread() / WarpClocks::kLanes == thread / WarpClocks::kLanes &&
          WarpClocks::covers(clocks_.row(thread), earlier.thread(), earlier.clock())) {
        return true;
      }
    }
    return publications_.any() && is_received(earlier, thread);
  }

 private:
  bool is_received(const Access& earlier, unsigned thread) const;

  Interval now_ = 1;
  Interval launch_first_ = 1;
  Interval block_first_ = 1;
  std::vector<Interval> block_starts_;
  WarpClocks clocks_;
  Publications publications_;
};

}  // namespace simt::race
