#include "runtime/lifetimes.h"

#include <algorithm>

#include "runtime/op.h"

namespace gradflip {
namespace {

template <typename List>
auto& of(List& list, Value value) {
  return list[static_cast<std::size_t>(value.id)];
}

class Positions {
 public:
  explicit Positions(const Phases& phases) : of_node_(phases.of_node.size()) {
    for (const Phase& phase : phases.list) {
      for (const std::int32_t node : phase.nodes) of_node_[static_cast<std::size_t>(node)] = end_++;
      sums_.push_back(end_++);
    }
  }

  std::int32_t of_node(std::int32_t node) const { return of_node_[static_cast<std::size_t>(node)]; }
  std::int32_t sums(int phase) const { return sums_[static_cast<std::size_t>(phase)]; }
  std::int32_t end() const { return end_; }

 private:
  std::vector<std::int32_t> of_node_, sums_;  // by node, by phase
  std::int32_t end_ = 0;
};

}  // namespace

std::vector<Value> memory_roots(const Graph& graph) {
  std::vector<Value> roots(static_cast<std::size_t>(graph.num_values()));
  for (std::int32_t id = 0; id < graph.num_values(); ++id) of(roots, {id}) = {id};
  for (const Node& node : graph.nodes()) {
    const auto view = node.op->view();
    if (view) of(roots, node.outputs[0]) = of(roots, node.inputs[view->input]);
  }
  return roots;
}

std::vector<char> kept_values(const Graph& graph, const std::vector<Value>& roots) {
  std::vector<char> read(roots.size(), 0), kept(roots.size(), 0);
  for (const Node& node : graph.nodes()) {
    for (const Value input : node.inputs) of(read, input) = 1;
  }
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const ValueType& type = graph.type({id});
    if (graph.info({id}).kind != ValueKind::kComputed || !type.rows.none()) continue;
    const bool small = type.shape.size() * bytes_of(type.dtype) <= kKeptBytes;
    if (small || of(read, Value{id}) == 0) of(kept, of(roots, Value{id})) = 1;
  }
  return kept;
}

std::vector<Lifetime> lifetimes_of(const Graph& graph, const Phases& phases,
                                   const std::vector<Value>& roots, const std::vector<char>& kept,
                                   bool cut) {
  const Positions positions(phases);
  std::vector<Lifetime> lifetimes(roots.size());
  const auto touch = [&](Value value, int phase, std::int32_t position) {
    Lifetime& life = of(lifetimes, of(roots, value));
    if (life.first < 0) life = {position, position, phase, phase};
    life.first = std::min(life.first, position);
    life.last = std::max(life.last, position);
    life.first_phase = std::min(life.first_phase, phase);
    life.last_phase = std::max(life.last_phase, phase);
  };
  std::int32_t index = 0;
  for (const Node& node : graph.nodes()) {
    const int phase = phases.of_node[static_cast<std::size_t>(index)];
    const std::int32_t position = positions.of_node(index++);
    const bool at_any_pace = cut && phases.list[static_cast<std::size_t>(phase)].sharded;
    for (const Value value : node.inputs) touch(value, phase, position);
    for (const Value value : node.outputs) {
      const bool sum = at_any_pace && graph.type(value).rows.none();
      touch(value, phase, sum ? positions.sums(phase) : position);
    }
  }
  for (std::size_t id = 0; id < kept.size(); ++id) {
    if (kept[id] != 0) lifetimes[id].last = positions.end();
  }
  return lifetimes;
}

}  // namespace gradflip
