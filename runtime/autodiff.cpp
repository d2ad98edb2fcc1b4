#include "runtime/autodiff.h"

#include <algorithm>

#include "runtime/op.h"
#include "runtime/ops/add.h"

namespace gradflip {
namespace {

// For each value: can a gradient reach one of `wrt` from it? Whole numbers have none.
std::vector<char> depends_on(const Graph& graph, std::span<const Value> wrt) {
  std::vector<char> depends(static_cast<std::size_t>(graph.num_values()), 0);
  for (const Value value : wrt) depends[static_cast<std::size_t>(value.id)] = 1;
  for (const Node& node : graph.nodes()) {
    if (node.op->gradient_kind() == Gradient::kConstant) continue;
    const bool any = std::any_of(node.inputs.begin(), node.inputs.end(), [&](Value input) {
      return depends[static_cast<std::size_t>(input.id)] != 0;
    });
    if (!any) continue;
    for (const Value output : node.outputs) {
      if (graph.type(output).dtype == Dtype::kF32) depends[static_cast<std::size_t>(output.id)] = 1;
    }
  }
  return depends;
}

// How many of the node's losses are in the list.
std::size_t losses_among(const Node& node, std::span<const Value> list) {
  const auto end = node.outputs.begin() + static_cast<std::ptrdiff_t>(node.op->num_losses());
  return static_cast<std::size_t>(std::count_if(node.outputs.begin(), end, [&](Value output) {
    return std::find(list.begin(), list.end(), output) != list.end();
  }));
}

void require_losses(const Graph& graph, std::span<const Value> losses) {
  for (const Value& loss : losses) {
    const ValueInfo& info = graph.info(loss);
    const Node* node =
        info.producer < 0 ? nullptr : &graph.nodes()[static_cast<std::size_t>(info.producer)];
    GRADFLIP_REQUIRE(node != nullptr && losses_among(*node, {&loss, 1}) == 1,
                     message("autodiff: value ", loss.id, " (", info.name,
                             ") is not the loss of a loss operation"));
    GRADFLIP_REQUIRE(std::count(losses.begin(), losses.end(), loss) == 1,
                     message("autodiff: the loss ", loss.id, " (", info.name, ") is given twice"));
  }
}

// A copy of the weights has no flat gradients, and no update follows it.
void require_trainable(const Graph& graph, std::span<const Value> wrt) {
  for (const Value value : wrt) {
    const ValueInfo& info = graph.info(value);
    GRADFLIP_REQUIRE(info.bank == 0, message("autodiff: ", info.name, " is of bank ", info.bank,
                                             ", a copy of the weights, and has no gradient"));
  }
}

// Without it the gradient would be zero, and a training would go wrong without a word.
void require_rule(const Node& node, std::span<const Value> doutputs) {
  GRADFLIP_REQUIRE(node.op->gradient_kind() == Gradient::kRule,
                   message("autodiff: ", node.op->name(),
                           " has no gradient rule; put a stop_gradient behind it if it is meant "
                           "as a constant"));
  const bool arrives =
      std::any_of(doutputs.begin(), doutputs.end(), [](Value doutput) { return !doutput.none(); });
  GRADFLIP_REQUIRE(node.op->num_losses() == 0 || !arrives,
                   message("autodiff: ", node.op->name(),
                           " has no gradient rule where its results are used further; put a "
                           "stop_gradient behind it if they are meant as constants"));
}

}  // namespace

std::vector<Value> gradients(Graph& graph, std::span<const Value> losses,
                             std::span<const Value> wrt) {
  require_losses(graph, losses);
  require_trainable(graph, wrt);
  const std::vector<char> depends = depends_on(graph, wrt);
  std::vector<Value> gradient_of(static_cast<std::size_t>(graph.num_values()));
  const auto accumulate = [&](Value value, Value contribution) {
    Value& total = gradient_of[static_cast<std::size_t>(value.id)];
    total = total.none() ? contribution : ops::add(graph, total, contribution);
  };

  const std::size_t forward_nodes = graph.nodes().size();
  for (std::size_t index = forward_nodes; index-- > 0;) {
    const Node node = graph.nodes()[index];  // a copy: appending moves the nodes
    if (node.op->gradient_kind() == Gradient::kConstant) continue;
    const std::size_t wanted_losses = losses_among(node, losses);
    GRADFLIP_REQUIRE(wanted_losses == 0 || wanted_losses == node.op->num_losses(),
                     message("autodiff: ", wanted_losses, " of the ", node.op->num_losses(),
                             " losses of ", node.op->name()));
    const bool seeded = wanted_losses > 0;
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
    require_rule(node, doutputs);
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
