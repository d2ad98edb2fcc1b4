#include "runtime/lifetimes.h"

#include <algorithm>

#include "runtime/op.h"

namespace gradflip {
namespace {

class Positions {
 public:
  explicit Positions(const Phases& phases) : of_node_(phases.of_node.size(), -1) {
    for (const Phase& phase : phases.list) {
      begin_.push_back(end_);
      for (const std::int32_t node : phase.nodes) of_node_[static_cast<std::size_t>(node)] = end_++;
      sums_.push_back(end_++);
    }
  }

  // -1: it does not run.
  std::int32_t of_node(std::int32_t node) const { return of_node_[static_cast<std::size_t>(node)]; }
  std::int32_t begin(int phase) const { return begin_[static_cast<std::size_t>(phase)]; }
  std::int32_t sums(int phase) const { return sums_[static_cast<std::size_t>(phase)]; }
  std::int32_t end() const { return end_; }

 private:
  std::vector<std::int32_t> of_node_, begin_, sums_;  // by node, by phase
  std::int32_t end_ = 0;
};

}  // namespace

std::vector<char> kept_values(const Graph& graph, const std::vector<ShownMemory>& memory) {
  std::vector<char> read(memory.size(), 0), kept(memory.size(), 0);
  for (const Node& node : graph.nodes()) {
    for (const Value input : node.inputs) read[input.index()] = 1;
  }
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const std::size_t index = Value{id}.index();
    const ValueInfo& info = graph.info({id});
    const ValueType& type = info.type;
    if (info.kind != ValueKind::kComputed || !type.rows.none()) continue;
    const bool small = type.shape.size() * bytes_of(type.dtype) <= kKeptBytes;
    if (small || info.result || read[index] == 0) kept[memory[index].root.index()] = 1;
  }
  return kept;
}

std::vector<Lifetime> lifetimes_of(const Graph& graph, const Phases& phases,
                                   const std::vector<ShownMemory>& memory,
                                   const std::vector<char>& kept, bool cut) {
  const Positions positions(phases);
  std::vector<Lifetime> lifetimes(memory.size());
  const auto touch = [&](Value value, int phase, std::int32_t position) {
    Lifetime& life = lifetimes[memory[value.index()].root.index()];
    if (life.first < 0) life = {position, position, phase, phase};
    life.first = std::min(life.first, position);
    life.last = std::max(life.last, position);
    life.first_phase = std::min(life.first_phase, phase);
    life.last_phase = std::max(life.last_phase, phase);
  };
  std::int32_t index = -1;
  for (const Node& node : graph.nodes()) {
    const std::int32_t position = positions.of_node(++index);
    if (position < 0) continue;
    const int phase = phases.of_node[static_cast<std::size_t>(index)];
    for (const Value value : node.inputs) touch(value, phase, position);
    std::int32_t of_batch = position;
    if (cut && phases.list[static_cast<std::size_t>(phase)].sharded) {
      const bool sum = node.op->across() == Across::kSum;
      of_batch = sum ? positions.sums(phase) : positions.begin(phase);
    }
    for (const Value value : node.outputs) {
      touch(value, phase, graph.type(value).rows.none() ? of_batch : position);
    }
  }
  for (std::size_t id = 0; id < kept.size(); ++id) {
    if (kept[id] != 0) lifetimes[id].last = positions.end();
  }
  return lifetimes;
}

}  // namespace gradflip
