// The order in which the nodes of a graph run.
//
// Phases alternate: in a sharded phase, threads take shards of the batch through all of its nodes
// without meeting; in a whole phase, nodes outside the batch run one after another. A sum over the
// batch, or a stack of its rows, ends a sharded phase: its readers come later. Nodes that update
// state run after everything else.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/graph.h"

namespace gradflip {

struct Phase {
  bool sharded = false;
  std::vector<std::int32_t> nodes;  // in order
  std::vector<Value> sums;          // sharded: what its nodes add up over the batch
};

struct Phases {
  std::vector<Phase> list;   // even ones are whole, odd ones sharded; some may be empty
  std::vector<int> of_node;  // by node
  // What the nodes of a phase do for additions that stand in none (joined_sums.h): by value id, in
  // whose place it is written; by node, whether it adds to what is there.
  std::vector<Value> into;
  std::vector<char> accumulating;
};

// Throws std::invalid_argument if an operation on rows updates state.
Phases phases_of(const Graph& graph);

}  // namespace gradflip
