// What the rewrites of fusion.h share: matches found in an old graph, and the copy that replaces
// them.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "runtime/fusion.h"
#include "runtime/graph.h"

namespace gradflip {

// Builds the replacement of an anchor node in the new graph; `now` maps old values to new ones.
// Returns the new value of the anchor's first output.
using Replacement = std::function<Value(Graph& graph, const std::function<Value(Value)>& now)>;

class GraphRewrite {
 public:
  GraphRewrite(const Graph& graph, std::span<const Value> keep);

  // The node that makes `value`, or null for inputs of the graph.
  const Node* producer(Value value) const;
  std::int32_t producer_index(Value value) const;
  // How many node inputs name this value; a kept value counts as read once more.
  int readers(Value value) const;

  // Declares that `anchor` becomes `replacement` and the nodes of `absorbed` disappear.
  void replace(std::int32_t anchor, const std::vector<std::int32_t>& absorbed,
               Replacement replacement);
  bool is_absorbed(std::int32_t node) const {
    return absorbed_[static_cast<std::size_t>(node)] != 0;
  }

  // The new graph: everything else is copied in order.
  Rewritten apply() const;

 private:
  const Graph& graph_;
  std::vector<int> readers_;
  std::vector<char> absorbed_;  // by node
  std::map<std::int32_t, Replacement> replacements_;
};

}  // namespace gradflip
