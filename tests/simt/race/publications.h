// What one block may know of another's memory accesses: release and acquire through a counter.
//
// A __threadfence() followed by an atomic publishes; an atomic on the same address by another
// block, later, receives. Published is what was ordered before the fence: the thread's own
// accesses, what its __syncwarps ordered, all that came before the block's last __syncthreads, and
// what the thread had received itself. A __syncthreads hands a thread's fences and receipts on to
// its block. So the usual last-block reduction is accepted, with the fence before or after the
// barrier, and one without its fence or without its barrier is not.
//
// Receiving needs no fence here, as in most published code; CUDA's memory model asks for one.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "tests/simt/race/access.h"
#include "tests/simt/race/warp_clocks.h"

namespace simt::race {

class Publications {
 public:
  void begin_launch();
  void begin_block(unsigned threads, Interval first);
  void block_barrier();
  // The thread's clock has just moved on, so that its row covers what came before the fence.
  void fence(unsigned thread, Interval now, const WarpClocks& clocks);
  void atomic(unsigned thread, const void* address);

  bool any() const { return !counters_.empty(); }
  // Has `thread` of the running block received this access of the block that began at `block`?
  bool received(unsigned thread, const Access& access, Interval block) const;

 private:
  struct Counter;
  // The first `length` entries of a counter's log.
  struct Receipt {
    const Counter* counter;
    std::size_t length;
    bool operator==(const Receipt&) const = default;
  };
  // Accesses of one block: all before `interval`, and in it those that the rows cover.
  struct Horizon {
    Interval block = 0;
    Interval interval = 0;
    std::map<unsigned, WarpClocks::Row> rows;  // by warp
    std::vector<Receipt> receipts;
    bool empty() const { return interval == 0; }
    bool operator==(const Horizon&) const = default;
  };
  struct Counter {
    std::vector<Horizon> log;
    std::unordered_map<Interval, std::vector<std::size_t>> entries_of;  // by block
  };
  struct Knowledge {
    Horizon fenced;
    std::vector<Receipt> receipts;
    bool touched = false;
  };

  static void add(std::vector<Receipt>& receipts, const Receipt& receipt);
  static void add(Horizon& sum, const Horizon& part);
  static bool covers(const Horizon& horizon, const Access& access);
  static bool find(const std::vector<Receipt>& receipts, const Access& access, Interval block,
                   std::set<const Horizon*>& visited);
  Knowledge& touch(unsigned thread);

  std::unordered_map<const void*, Counter> counters_;
  std::vector<Knowledge> threads_;
  std::vector<unsigned> touched_;  // threads that know more than their block
  Knowledge block_;                // what the last barrier made common
  Interval block_first_ = 0;
};

}  // namespace simt::race
