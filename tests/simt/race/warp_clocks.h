// Who has met whom at a __syncwarp: one vector clock per thread, over the 32 lanes of its warp.
//
// clocks[i][j] is what lane i knows of lane j. An access of lane j at its own clock c came before
// everything that lane i does from now on exactly if clocks[i][j] > c. A __syncwarp gives the lanes
// of its mask all that any of them knew, and then moves each one's own clock on, so that later
// accesses can be told from those that the meeting ordered.
//
// Clocks start over at every block barrier, which orders everything by itself. They have 16 bits:
// after 65,534 meetings without a block barrier a clock stands still, and what is accessed from
// then on counts as ordered (a race could be missed, none is invented).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace simt::race {

class WarpClocks {
 public:
  static constexpr unsigned kLanes = 32;
  using Clock = std::uint16_t;
  using Row = std::array<Clock, kLanes>;

  void begin_block(unsigned threads);
  void block_barrier();
  void meet(unsigned warp, std::uint32_t mask);
  // Tells the thread's later accesses from its earlier ones.
  void advance(unsigned thread);

  Clock now(unsigned thread) const { return row(thread)[thread % kLanes]; }
  const Row& row(unsigned thread) const { return warps_[thread / kLanes].rows[thread % kLanes]; }
  static bool covers(const Row& row, unsigned thread, Clock clock) {
    return row[thread % kLanes] > clock || clock == kLast;
  }

 private:
  static constexpr Clock kLast = 0xffff;
  struct Warp {
    std::array<Row, kLanes> rows;
    bool fresh = false;
  };
  static void reset(Warp& warp);
  static void tick(Clock& clock) {
    if (clock != kLast) ++clock;
  }

  std::vector<Warp> warps_;
};

}  // namespace simt::race
