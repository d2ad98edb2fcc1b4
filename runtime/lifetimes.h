// When the memory of a value is in use.
//
// A node's position is its number in the order in which nodes run, phase after phase. Behind the
// nodes of every phase comes one position more, at which the totals of its sums are made.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/graph.h"
#include "runtime/phases.h"
#include "runtime/shown_memory.h"

namespace gradflip {

// From the position that makes a value to the last one that needs it.
struct Lifetime {
  std::int32_t first = -1, last = -1;
  int first_phase = -1, last_phase = -1;  // of the nodes that touch it

  bool meets(const Lifetime& other) const { return first <= other.last && other.first <= last; }
};

// By value id, of computed roots without rows: does the value stay until the step is over, so that
// it can be read then? A result does, and what no node reads; and up to kKeptBytes there is nothing
// to gain from its place: losses, counts, rates.
inline constexpr std::int64_t kKeptBytes = 4096;
std::vector<char> kept_values(const Graph& graph, const std::vector<ShownMemory>& memory);

// By value id, of roots: the reads of their views are theirs. Where batches are cut, threads run
// through a sharded phase each at a pace of its own, and what has no rows is one for all: none
// begins within such a phase, so that it does not matter when in the phase others end.
std::vector<Lifetime> lifetimes_of(const Graph& graph, const Phases& phases,
                                   const std::vector<ShownMemory>& memory,
                                   const std::vector<char>& kept, bool cut);

}  // namespace gradflip
