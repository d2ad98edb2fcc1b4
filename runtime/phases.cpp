#include "runtime/phases.h"

#include <algorithm>

#include "kernels/require.h"
#include "runtime/joined_sums.h"
#include "runtime/op.h"

namespace gradflip {
namespace {

bool is_sharded(const Graph& graph, const Node& node) {
  const auto has_rows = [&](Value value) { return !graph.type(value).rows.none(); };
  return std::any_of(node.inputs.begin(), node.inputs.end(), has_rows) ||
         std::any_of(node.outputs.begin(), node.outputs.end(), has_rows);
}

// The phase of every node, never before what it reads.
std::vector<int> phase_numbers(const Graph& graph, JoinedSums& joined) {
  const auto nodes = graph.nodes();
  std::vector<int> phase(nodes.size(), 0);
  int last = 0;
  for (std::size_t index = 0; index < nodes.size(); ++index) {
    const Node& node = nodes[index];
    if (joined.join(static_cast<std::int32_t>(index), phase)) {
      const std::int32_t part = graph.info(node.inputs[0]).producer;
      phase[index] = phase[static_cast<std::size_t>(part)];
      continue;
    }
    const bool sharded = is_sharded(graph, node);
    int number = 0;
    for (const Value input : node.inputs) {
      const std::int32_t producer = graph.info(input).producer;
      if (producer < 0) continue;
      const int produced = phase[static_cast<std::size_t>(producer)];
      // Sums and stacks are complete only when their phase is over; everything else can be read
      // within the phase.
      const bool of_batch = produced % 2 == 1 && graph.type(input).rows.none();
      number = std::max(number, of_batch ? produced + 1 : produced);
    }
    if (number % 2 != (sharded ? 1 : 0)) ++number;
    phase[index] = number;
    if (!node.op->updates_state()) last = std::max(last, number);
  }
  const int updates =
      last % 2 == 0 ? last + 2 : last + 1;  // whole, and after everything that reads
  for (std::size_t index = 0; index < nodes.size(); ++index) {
    if (nodes[index].op->updates_state()) {
      GRADFLIP_REQUIRE(!is_sharded(graph, nodes[index]),
                       "memory plan: an operation on rows cannot update state");
      phase[index] = updates;
    }
  }
  return phase;
}

}  // namespace

Phases phases_of(const Graph& graph) {
  Phases phases;
  JoinedSums joined(graph);
  phases.of_node = phase_numbers(graph, joined);
  phases.into = joined.into();
  phases.accumulating = joined.accumulating();
  const int last =
      phases.of_node.empty() ? 0 : *std::max_element(phases.of_node.begin(), phases.of_node.end());
  phases.list.resize(static_cast<std::size_t>(last) + 1);
  for (std::size_t number = 0; number < phases.list.size(); ++number) {
    phases.list[number].sharded = number % 2 == 1;
  }
  const auto is_part = [&](Value value) {
    return !phases.into[static_cast<std::size_t>(value.id)].none();
  };
  std::int32_t index = -1;
  for (const Node& node : graph.nodes()) {
    ++index;
    const int number = phases.of_node[static_cast<std::size_t>(index)];
    Phase& phase = phases.list[static_cast<std::size_t>(number)];
    const bool done_by_others = !node.inputs.empty() && is_part(node.inputs[0]);
    if (!done_by_others) phase.nodes.push_back(index);
    if (!phase.sharded || node.op->across() != Across::kSum) continue;
    for (const Value output : node.outputs) {
      if (graph.type(output).rows.none() && !is_part(output)) phase.sums.push_back(output);
    }
  }
  return phases;
}

}  // namespace gradflip
