#include "runtime/shown_memory.h"

#include <bit>

#include "runtime/op.h"

namespace gradflip {

std::vector<ShownMemory> shown_memory(const Graph& graph) {
  std::vector<ShownMemory> shown(static_cast<std::size_t>(graph.num_values()));
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    shown[static_cast<std::size_t>(id)] = {{id}, graph.type({id}).rows};
  }
  for (const Node& node : graph.nodes()) {
    const auto view = node.op->view();
    if (!view) continue;
    const Value x = node.inputs[view->input], y = node.outputs[0];
    const ShownMemory& of_x = shown[x.index()];
    const Rows x_rows = graph.type(x).rows, y_rows = graph.type(y).rows;
    const bool same_names = x_rows == of_x.rows && x_rows.contains(y_rows);
    shown[y.index()] = {of_x.root, same_names ? y_rows : of_x.rows};
  }
  return shown;
}

std::vector<std::pair<int, int>> partner_segments(const Graph& graph) {
  std::vector<std::pair<int, int>> partners;
  for (const Node& node : graph.nodes()) {
    const auto view = node.op->view();
    if (!view) continue;
    const Rows from = graph.type(node.inputs[view->input]).rows;
    const Rows to = graph.type(node.outputs[0]).rows;
    if (from.contains(to)) continue;
    partners.emplace_back(std::countr_zero(from.mask), std::countr_zero(to.mask));
  }
  return partners;
}

}  // namespace gradflip
