#include "tests/simt/warp_collective.h"

#include <string>
#include <vector>

#include "tests/simt/census.h"
#include "tests/simt/multiprocessor.h"

namespace simt {
namespace {

[[noreturn]] void fail_mask(const Collective& collective, const char* what) {
  fail((name_of(collective.op) + std::string(": ") + what).c_str(), collective.site);
}

// The lane arrives. True if it is the last one.
bool arrive(std::vector<Rendezvous>& pending, const Collective& c, unsigned lane) {
  const unsigned bit = 1U << lane;
  for (Rendezvous& r : pending) {
    if (r.mask != c.mask || r.op != c.op || !same_site(r.site, c.site)) continue;
    r.arrived |= bit;
    if (r.arrived != r.mask) return false;
    r = pending.back();
    pending.pop_back();
    return true;
  }
  if (bit == c.mask) return true;
  pending.push_back({c.op, c.mask, bit, c.site});
  return false;
}

struct Shuffled {
  std::uint64_t value;
  int source;
};

void combine_shuffle(Meeting& meeting) {
  for (unsigned l = 0; l < 32; ++l) {
    if (!meeting.has(l)) continue;
    const int source = meeting.from<Shuffled>(l).source;
    const unsigned from = source == kOwnValue ? l : static_cast<unsigned>(source);
    if (!meeting.has(from)) {
      fail(("a shuffle: lane " + std::to_string(l) + " reads lane " + std::to_string(from) +
            ", which is not in the mask")
               .c_str(),
           meeting.site());
    }
    meeting.give(l, meeting.from<Shuffled>(from).value);
  }
}

void combine_vote(Meeting& meeting) {
  unsigned votes = 0;
  for (unsigned l = 0; l < 32; ++l) {
    if (meeting.has(l) && meeting.from<bool>(l)) votes |= 1U << l;
  }
  for (unsigned l = 0; l < 32; ++l) {
    if (meeting.has(l)) meeting.give(l, votes);
  }
}

}  // namespace

Warp::Lane& lane_slot() {
  Multiprocessor& sm = multiprocessor();
  Thread& thread = sm.current();
  return sm.warp_of(thread).lanes[thread.linear % 32];
}

void meet(const Collective& collective) {
  Multiprocessor& sm = multiprocessor();
  Thread& thread = sm.current();
  Warp& warp = sm.warp_of(thread);
  const unsigned mask = collective.mask;
  const unsigned lane = thread.linear % 32;
  if ((mask >> lane & 1U) == 0) fail_mask(collective, "the lane is not in its own mask");
  if ((mask & ~warp.alive) != 0) {
    fail_mask(collective, "the mask names a lane that has exited or does not exist");
  }
  thread.state = Thread::State::kAtWarpOp;
  thread.op = collective.op;
  thread.site = collective.site;
  if (!arrive(warp.pending, collective, lane)) {
    sm.block();
    return;
  }
  if (collective.combine != nullptr) {
    Meeting meeting(warp, mask, collective.site);
    collective.combine(meeting);
  }
  Observer* const checker = sm.checker();
  if (checker != nullptr && collective.op == WarpOp::kSync) {
    checker->warp_barrier(thread.linear / 32, mask);
  }
  sm.release_warp(warp, mask);
}

void warp_barrier(unsigned mask, Site site) { meet({WarpOp::kSync, mask, nullptr, site}); }

unsigned warp_ballot(unsigned mask, bool predicate, Site site) {
  return meet<unsigned>({WarpOp::kVote, mask, combine_vote, site}, predicate);
}

void warp_shuffle(unsigned mask, const void* value, std::size_t bytes, int source_lane,
                  void* result, Site site) {
  Shuffled shuffled{0, source_lane};
  std::memcpy(&shuffled.value, value, bytes);
  const auto received =
      meet<std::uint64_t>({WarpOp::kShuffle, mask, combine_shuffle, site}, shuffled);
  std::memcpy(result, &received, bytes);
}

// The values of all lanes do not fit into one lane's slot: each lane reads the others' instead,
// which stay until all have met again, for nobody can bring a new value before.
void warp_gather(unsigned mask, std::uint64_t value, std::uint64_t (&values)[32], Site site) {
  const Collective collective{WarpOp::kGather, mask, nullptr, site};
  std::memcpy(lane_slot().in, &value, sizeof value);
  meet(collective);
  Multiprocessor& sm = multiprocessor();
  const Warp& warp = sm.warp_of(sm.current());
  for (unsigned l = 0; l < 32; ++l) {
    if ((mask >> l & 1U) != 0) std::memcpy(&values[l], warp.lanes[l].in, sizeof value);
  }
  meet(collective);
}

}  // namespace simt
