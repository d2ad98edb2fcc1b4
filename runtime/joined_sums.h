// Parts of one gradient that share its place. A parameter that several nodes read has a part of its
// gradient from each, and autodiff adds them. Where these are sums over the batch of one phase, the
// later nodes add theirs to what the first has written: the addition is no pass of its own, and the
// end of the phase sees the gradient whole.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/graph.h"

namespace gradflip {

class JoinedSums {
 public:
  explicit JoinedSums(const Graph& graph);

  // If node number `add` adds two sums of one sharded phase for a gradient, and nothing else reads
  // them, joins them: it need not run. phase: of all nodes before it.
  bool join(std::int32_t add, const std::vector<int>& phase);

  // By value id: the sum in whose place it is written; none() where it has its own.
  const std::vector<Value>& into() const { return into_; }
  // By node: adds to what is there already.
  std::vector<char> accumulating() const;

 private:
  // The nodes that write a sum, in order; empty where it is none.
  std::vector<std::int32_t> writers(Value sum) const;

  const Graph& graph_;
  std::vector<char> of_gradient_;  // by value id: is a part of a gradient, and nothing else
  std::vector<Value> into_;
  std::vector<std::vector<std::int32_t>> writers_;  // by value id, of joined sums
};

}  // namespace gradflip
