#include "runtime/gradient_flow.h"

#include <algorithm>

#include "runtime/op.h"

namespace gradflip {
namespace {

std::vector<char> marked(const Graph& graph, std::span<const Value> values) {
  std::vector<char> marks(static_cast<std::size_t>(graph.num_values()), 0);
  for (const Value value : values) marks[value.index()] = 1;
  return marks;
}

// Whether a gradient that arrives at this output of the node goes on to its inputs.
bool gradient_passes(const Graph& graph, const Node& node, std::size_t output) {
  return !node.op->is_constant(static_cast<int>(output)) &&
         graph.type(node.outputs[output]).dtype == Dtype::kF32;
}

}  // namespace

std::vector<char> values_that_depend_on(const Graph& graph, std::span<const Value> wrt) {
  std::vector<char> depends = marked(graph, wrt);
  for (const Node& node : graph.nodes()) {
    const bool any = std::any_of(node.inputs.begin(), node.inputs.end(),
                                 [&](Value input) { return depends[input.index()] != 0; });
    for (std::size_t i = 0; any && i < node.outputs.size(); ++i) {
      if (gradient_passes(graph, node, i)) depends[node.outputs[i].index()] = 1;
    }
  }
  return depends;
}

std::vector<char> values_reached_from(const Graph& graph, std::span<const Value> from) {
  std::vector<char> reached = marked(graph, from);
  for (std::size_t index = graph.nodes().size(); index-- > 0;) {
    const Node& node = graph.nodes()[index];
    bool any = false;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      any = any || (reached[node.outputs[i].index()] != 0 && gradient_passes(graph, node, i));
    }
    for (std::size_t i = 0; any && i < node.inputs.size(); ++i) reached[node.inputs[i].index()] = 1;
  }
  return reached;
}

}  // namespace gradflip
