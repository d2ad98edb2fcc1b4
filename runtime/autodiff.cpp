#include "runtime/autodiff.h"

#include <algorithm>

#include "runtime/op.h"
#include "runtime/ops/add.h"

namespace gradflip {
namespace {

// For each value: does it depend on one of `wrt` through differentiable nodes?
std::vector<char> depends_on(const Graph& graph, std::span<const Value> wrt) {
  std::vector<char> depends(static_cast<std::size_t>(graph.num_values()), 0);
  for (const Value value : wrt) depends[static_cast<std::size_t>(value.id)] = 1;
  for (const Node& node : graph.nodes()) {
    if (!node.op->differentiable()) continue;
    const bool any = std::any_of(node.inputs.begin(), node.inputs.end(), [&](Value input) {
      return depends[static_cast<std::size_t>(input.id)] != 0;
    });
    if (!any) continue;
    for (const Value output : node.outputs) depends[static_cast<std::size_t>(output.id)] = 1;
  }
  return depends;
}

}  // namespace

std::vector<Value> gradients(Graph& graph, std::span<const Value> losses,
                             std::span<const Value> wrt) {
  for (const Value loss : losses) {
    const ValueInfo& info = graph.info(loss);
    const bool is_loss =
        info.producer >= 0 &&
        graph.nodes()[static_cast<std::size_t>(info.producer)].op->is_loss() &&
        graph.nodes()[static_cast<std::size_t>(info.producer)].outputs.front() == loss;
    GRADFLIP_REQUIRE(is_loss, message("autodiff: value ", loss.id, " (", info.name,
                                      ") is not the loss of a loss operation"));
  }
  const std::vector<char> depends = depends_on(graph, wrt);
  std::vector<Value> gradient_of(static_cast<std::size_t>(graph.num_values()));
  const auto accumulate = [&](Value value, Value contribution) {
    Value& total = gradient_of[static_cast<std::size_t>(value.id)];
    total = total.none() ? contribution : ops::add(graph, total, contribution);
  };

  const std::size_t forward_nodes = graph.nodes().size();
  for (std::size_t index = forward_nodes; index-- > 0;) {
    const Node node = graph.nodes()[index];  // a copy: appending moves the nodes
    if (!node.op->differentiable()) continue;
    const bool seeded = node.op->is_loss() && std::find(losses.begin(), losses.end(),
                                                        node.outputs.front()) != losses.end();
    std::vector<Value> doutputs;
    bool arrives = seeded;
    for (const Value output : node.outputs) {
      doutputs.push_back(gradient_of[static_cast<std::size_t>(output.id)]);
      arrives = arrives || !doutputs.back().none();
    }
    std::vector<char> wanted;
    bool any_wanted = false;
    for (const Value input : node.inputs) {
      wanted.push_back(depends[static_cast<std::size_t>(input.id)]);
      any_wanted = any_wanted || wanted.back() != 0;
    }
    if (!arrives || !any_wanted) continue;
    const std::vector<Value> dinputs = node.op->gradient({graph, node, doutputs, wanted});
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (wanted[i] != 0 && !dinputs[i].none()) accumulate(node.inputs[i], dinputs[i]);
    }
  }

  std::vector<Value> result;
  for (const Value value : wrt) result.push_back(gradient_of[static_cast<std::size_t>(value.id)]);
  return result;
}

}  // namespace gradflip
