// What the checker remembers of an access.
#pragma once

#include <cstdint>

namespace simt::race {

// Time as barriers cut it: counts up at every launch, block and block barrier of the process, so
// that an interval belongs to one block of one launch. 0 is never.
using Interval = std::uint32_t;
// A return address in the program, relative to its image.
using Pc = std::uint32_t;

class Access {
 public:
  // None: before everything.
  Access() = default;
  // `thread` is linear in its block; `clock` is the thread's own, see WarpClocks.
  Access(Interval interval, Pc pc, unsigned thread, std::uint16_t clock, bool atomic)
      : interval_(interval),
        pc_(pc),
        who_(std::uint32_t{clock} << 16 | (atomic ? kAtomic : 0) | thread) {}

  bool exists() const { return interval_ != 0; }
  Interval interval() const { return interval_; }
  Pc pc() const { return pc_; }
  unsigned thread() const { return who_ & (kAtomic - 1); }
  std::uint16_t clock() const { return static_cast<std::uint16_t>(who_ >> 16); }
  bool atomic() const { return (who_ & kAtomic) != 0; }

 private:
  static constexpr std::uint32_t kAtomic = 1u << 15;

  Interval interval_ = 0;
  Pc pc_ = 0;
  std::uint32_t who_ = 0;  // one word: accesses are made and copied all the time
};
static_assert(sizeof(Access) == 12);

}  // namespace simt::race
