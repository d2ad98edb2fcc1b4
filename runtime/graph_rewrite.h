// What the rewrites of fusion.h share: matches found in an old graph, and the copy that replaces
// them.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "runtime/fusion.h"
#include "runtime/graph.h"
#include "runtime/op.h"

namespace gradflip {

// The new graph while it is built.
class Successor {
 public:
  Successor(const Graph& old, Rewritten& rewritten) : old_(old), rewritten_(rewritten) {}

  Graph& graph() { return rewritten_.graph; }
  // What an old value is now. Throws std::invalid_argument if it is not there yet, or no more.
  Value now(Value old) const;
  std::vector<Value> now(std::span<const Value> old) const;
  // The same, where the node that makes it may come later in the old graph, and is absorbed: its
  // inputs must be there.
  Value brought_forward(Value old);
  // Says so, once per value. The gradient of a parameter stays one, and so does a result: as a copy
  // where `value` cannot be one, or is another's already.
  void becomes(Value old, Value value);

 private:
  const Graph& old_;
  Rewritten& rewritten_;
};

// Appends what stands for an anchor and the nodes that it absorbed, and says what became of those
// of their values that other nodes read.
using Replacement = std::function<void(Successor& successor)>;

class GraphRewrite {
 public:
  GraphRewrite(const Graph& graph, std::span<const Value> keep);

  // The node that makes `value`, or null for inputs of the graph.
  const Node* producer(Value value) const;
  std::int32_t producer_index(Value value) const;
  // The node that makes `value`, if its op has such attributes.
  template <typename Attributes>
  const Node* producer_with(Value value) const {
    const Node* node = producer(value);
    return node != nullptr && is<Attributes>(*node->op) ? node : nullptr;
  }
  // The same, if the value has so many readers.
  template <typename Attributes>
  const Node* only_producer_with(Value value, int count = 1) const {
    return readers(value) == count ? producer_with<Attributes>(value) : nullptr;
  }
  // How many node inputs name this value; a kept value counts as read once more, and so do a result
  // and the gradient of a parameter, which is looked up in the flat gradients.
  int readers(Value value) const;

  // Declares that `anchor` becomes `replacement` and the nodes of `absorbed` disappear. The anchor
  // comes after everything that the replacement reads and before everyone who reads it.
  void replace(std::int32_t anchor, const std::vector<std::int32_t>& absorbed,
               Replacement replacement);
  // Declares that a node disappears, whose values are not needed any more.
  void absorb(std::int32_t node) { absorbed_[static_cast<std::size_t>(node)] = 1; }
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
