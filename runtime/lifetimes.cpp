#include "runtime/lifetimes.h"

#include <algorithm>

#include "runtime/op.h"

namespace gradflip {
namespace {

template <typename List>
auto& of(List& list, Value value) {
  return list[static_cast<std::size_t>(value.id)];
}

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

std::vector<Lifetime> lifetimes_of(const Graph& graph, const Phases& phases,
                                   const std::vector<Value>& roots) {
  std::vector<Lifetime> lifetimes(roots.size());
  std::int32_t index = 0;
  for (const Node& node : graph.nodes()) {
    const int phase = phases.of_node[static_cast<std::size_t>(index)];
    const auto touch = [&](Value value) {
      Lifetime& life = of(lifetimes, of(roots, value));
      if (life.first_node < 0) life = {phase, phase, index, index};
      life.first_phase = std::min(life.first_phase, phase);
      life.last_phase = std::max(life.last_phase, phase);
      life.last_node = std::max(life.last_node, index);
    };
    for (const Value value : node.inputs) touch(value);
    for (const Value value : node.outputs) touch(value);
    ++index;
  }
  return lifetimes;
}

}  // namespace gradflip
