// When the memory of a value is in use.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/graph.h"
#include "runtime/phases.h"

namespace gradflip {

// From the node that makes a value to the last one that reads it.
struct Lifetime {
  int first_phase = -1, last_phase = -1;
  std::int32_t first_node = -1, last_node = -1;

  bool meets(const Lifetime& other) const {
    return first_node <= other.last_node && other.first_node <= last_node;
  }
};

// By value id: the value whose memory it shows, which is itself where it is no view.
std::vector<Value> memory_roots(const Graph& graph);

// By value id, of roots: the reads of their views are theirs.
std::vector<Lifetime> lifetimes_of(const Graph& graph, const Phases& phases,
                                   const std::vector<Value>& roots);

}  // namespace gradflip
