// The meeting of a warp's lanes that is beneath every shuffle, vote and matrix instruction.
//
// Each lane of the mask brings a value; the last to arrive combines them; each takes its result.
// Who meets whom follows from the mask, the kind and the site, so a collective that lanes reach at
// two places of the program never completes and is reported as a deadlock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/simt/thread.h"

namespace simt {

// What the last lane sees.
class Meeting {
 public:
  Meeting(Warp& warp, unsigned mask, Site site) : warp_(warp), mask_(mask), site_(site) {}

  bool has(unsigned lane) const { return (mask_ >> lane & 1U) != 0; }
  unsigned mask() const { return mask_; }
  Site site() const { return site_; }

  template <typename T>
  T from(unsigned lane) const {
    static_assert(sizeof(T) <= sizeof(Warp::Lane::in));
    T value;
    std::memcpy(&value, warp_.lanes[lane].in, sizeof value);
    return value;
  }
  template <typename T>
  void give(unsigned lane, const T& value) {
    static_assert(sizeof(T) <= sizeof(Warp::Lane::out));
    std::memcpy(warp_.lanes[lane].out, &value, sizeof value);
  }

 private:
  Warp& warp_;
  unsigned mask_;
  Site site_;
};

struct Collective {
  WarpOp op;
  unsigned mask;
  void (*combine)(Meeting& meeting);  // may be null
  Site site;
};

// The current thread's part without a value: returns when all lanes of the mask have been here.
void meet(const Collective& collective);

// Where the current thread leaves its value and finds its result.
Warp::Lane& lane_slot();

template <typename Result, typename T>
Result meet(const Collective& collective, const T& value) {
  static_assert(sizeof(T) <= sizeof(Warp::Lane::in) && sizeof(Result) <= sizeof(Warp::Lane::out));
  Warp::Lane& slot = lane_slot();
  std::memcpy(slot.in, &value, sizeof value);
  meet(collective);
  Result result;
  std::memcpy(&result, slot.out, sizeof result);
  return result;
}

}  // namespace simt
