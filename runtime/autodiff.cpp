#include "runtime/autodiff.h"

#include <algorithm>

#include "runtime/gradient_flow.h"
#include "runtime/op.h"
#include "runtime/ops/elementwise.h"

namespace gradflip {
namespace {

// Whether the value is a loss that carries its weights in it.
bool is_weighed_loss(const Graph& graph, Value value) {
  const std::int32_t producer = graph.info(value).producer;
  if (producer < 0) return false;
  const Node& node = graph.nodes()[static_cast<std::size_t>(producer)];
  const auto end = node.outputs.begin() + static_cast<std::ptrdiff_t>(node.op->num_losses());
  return std::find(node.outputs.begin(), end, value) != end;
}

void require_valid(const Graph& graph, const Seed& seed) {
  const ValueInfo& info = graph.info(seed.value);
  const auto name = [&] { return message("value ", seed.value.id, " (", info.name, ")"); };
  GRADFLIP_REQUIRE(info.type.dtype == Dtype::kF32,
                   message("autodiff: ", name(), " is ", info.type.text(), ", not f32"));
  if (seed.gradient.none()) {
    GRADFLIP_REQUIRE(info.type == (ValueType{Dtype::kF32, {}, {}}),
                     message("autodiff: ", name(), " is ", info.type.text(),
                             ", not a scalar; say what gradient arrives there"));
    return;
  }
  GRADFLIP_REQUIRE(graph.type(seed.gradient) == info.type,
                   message("autodiff: the gradient ", graph.type(seed.gradient).text(),
                           " does not fit ", name(), ", ", info.type.text()));
  GRADFLIP_REQUIRE(!is_weighed_loss(graph, seed.value),
                   message("autodiff: ", name(), " carries its weight in it"));
}

// Of the losses of an op that weighs them itself, how many are seeds. All or none may be.
bool is_seeded(const Node& node, std::span<const Seed> seeds) {
  const auto end = node.outputs.begin() + static_cast<std::ptrdiff_t>(node.op->num_losses());
  const auto seeded = std::count_if(node.outputs.begin(), end, [&](Value output) {
    return std::any_of(seeds.begin(), seeds.end(),
                       [&](const Seed& seed) { return seed.value == output; });
  });
  GRADFLIP_REQUIRE(seeded == 0 || seeded == end - node.outputs.begin(),
                   message("autodiff: ", seeded, " of the ", node.op->num_losses(), " losses of ",
                           node.op->name()));
  return seeded > 0;
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

std::vector<Value> gradients(Graph& graph, std::span<const Seed> seeds,
                             std::span<const Value> wrt) {
  for (const Seed& seed : seeds) require_valid(graph, seed);
  require_trainable(graph, wrt);
  const std::vector<char> depends = values_that_depend_on(graph, wrt);
  const std::size_t forward_nodes = graph.nodes().size();
  std::vector<Value> gradient_of(static_cast<std::size_t>(graph.num_values()));
  const auto accumulate = [&](Value value, Value contribution) {
    Value& total = gradient_of[static_cast<std::size_t>(value.id)];
    total = total.none() ? contribution : ops::add(graph, total, contribution);
  };
  for (const Seed& seed : seeds) {
    if (depends[static_cast<std::size_t>(seed.value.id)] == 0 || is_weighed_loss(graph, seed.value))
      continue;
    accumulate(seed.value, seed.gradient.none() ? ops::constant(graph, graph.type(seed.value), 1.0F)
                                                : seed.gradient);
  }

  for (std::size_t index = forward_nodes; index-- > 0;) {
    const Node node = graph.nodes()[index];  // a copy: appending moves the nodes
    if (node.op->gradient_kind() == Gradient::kConstant) continue;
    std::vector<Value> doutputs;
    bool arrives = is_seeded(node, seeds);
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
