#include "runtime/unfused.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "kernels/require.h"
#include "runtime/fusion_misses.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/check_finite.h"
#include "runtime/ops/training_update.h"

namespace gradflip {
namespace {

// The terms' losses, of a guard, and the flat gradients beside them; empty for other nodes.
std::span<const Value> guarded(const Node& node) {
  const auto* check = attributes_of<ops::CheckFiniteAttributes>(*node.op);
  if (check == nullptr) return ops::guarded_losses(node);
  return std::span(node.inputs).subspan(2, static_cast<std::size_t>(check->count));
}

// Which of a compiled graph's nodes are there for something else than gradients.
class Parts {
 public:
  explicit Parts(const Graph& graph) : graph_(graph), forward_(graph.nodes().size()) {
    const std::vector<char> of_gradients = with_all_above(gradients());
    for (std::size_t index = 0; index < forward_.size(); ++index) {
      const Node& node = graph.nodes()[index];
      if (node.op->updates_state()) {
        for (const Value input : forward_inputs(node)) forward_[producer(input)] = 1;
      } else if (!reads_gradients(node) &&
                 (of_gradients[index] == 0 || node.op->num_losses() > 0)) {
        forward_[index] = 1;
      }
      if (reads_gradients(node)) after_gradients_.insert(index);
    }
    forward_ = with_all_above(std::move(forward_));
  }

  bool has_gradients() const {
    const std::vector<char> nodes = gradients();
    return std::find(nodes.begin(), nodes.end(), 1) != nodes.end();
  }
  bool is_forward(std::size_t node) const { return forward_[node] != 0; }

  // What nodes that change state read of it: losses, and what is recorded.
  std::vector<Value> guarded_or_recorded() const {
    std::vector<Value> values;
    for (const Node& node : graph_.nodes()) {
      if (!node.op->updates_state()) continue;
      const std::vector<Value> inputs = forward_inputs(node);
      values.insert(values.end(), inputs.begin(), inputs.end());
    }
    return values;
  }

  std::vector<Value> losses() const {
    std::vector<Value> values;
    for (const Node& node : graph_.nodes()) {
      const std::span<const Value> watched = guarded(node);
      std::copy_if(watched.begin(), watched.end(), std::back_inserter(values),
                   [&](Value value) { return is_computed(value) && !is_after_gradients(value); });
    }
    return values;
  }

 private:
  bool is_computed(Value value) const { return graph_.info(value).producer >= 0; }
  std::size_t producer(Value value) const {
    return static_cast<std::size_t>(graph_.info(value).producer);
  }
  bool is_gradient(Value value) const {
    return is_computed(value) && graph_.info(value).parameter >= 0;
  }
  // Or what was made of some.
  bool is_after_gradients(Value value) const {
    return is_gradient(value) || (is_computed(value) && after_gradients_.contains(producer(value)));
  }
  bool reads_gradients(const Node& node) const {
    return std::any_of(node.inputs.begin(), node.inputs.end(),
                       [&](Value input) { return is_after_gradients(input); });
  }
  std::vector<Value> forward_inputs(const Node& node) const {
    std::vector<Value> inputs;
    std::copy_if(node.inputs.begin(), node.inputs.end(), std::back_inserter(inputs),
                 [&](Value input) { return is_computed(input) && !is_after_gradients(input); });
    return inputs;
  }

  std::vector<char> gradients() const {
    std::vector<char> nodes(graph_.nodes().size());
    for (std::int32_t id = 0; id < graph_.num_values(); ++id) {
      if (is_gradient({id})) nodes[producer({id})] = 1;
    }
    return nodes;
  }

  // Nodes come in topological order.
  std::vector<char> with_all_above(std::vector<char> nodes) const {
    for (std::size_t index = nodes.size(); index-- > 0;) {
      if (nodes[index] == 0) continue;
      for (const Value input : graph_.nodes()[index].inputs) {
        if (is_computed(input)) nodes[producer(input)] = 1;
      }
    }
    return nodes;
  }

  const Graph& graph_;
  std::set<std::size_t> after_gradients_;
  std::vector<char> forward_;
};

// Of the parameters that a node reads, the first one's layer; without any, of those above it.
std::string layer_of(const Graph& graph, const Node& node) {
  for (const Value input : node.inputs) {
    const ValueInfo& info = graph.info(input);
    if (info.kind == ValueKind::kParameter) return info.name.substr(0, info.name.rfind('.'));
  }
  const std::int32_t above = node.inputs.empty() ? -1 : graph.info(node.inputs[0]).producer;
  return above < 0 ? std::string()
                   : layer_of(graph, graph.nodes()[static_cast<std::size_t>(above)]);
}

}  // namespace

std::string layer_label(const Graph& graph, const Node& node) {
  const std::string layer = layer_of(graph, node);
  return layer.empty() ? std::string(node.op->name()) : message(node.op->name(), " ", layer);
}

ForwardPart forward_part(const Graph& compiled) {
  const Parts parts(compiled);
  GraphRewrite rewrite(compiled, {});
  for (std::size_t index = 0; index < compiled.nodes().size(); ++index) {
    if (!parts.is_forward(index)) rewrite.absorb(static_cast<std::int32_t>(index));
  }
  Rewritten forward = rewrite.apply();
  const auto now = [&](std::vector<Value> values) {
    for (Value& value : values) value = forward(value);
    return values;
  };
  std::vector<Value> keep = now(parts.guarded_or_recorded()), losses = now(parts.losses());
  return {std::move(forward.graph), std::move(keep), std::move(losses), parts.has_gradients()};
}

std::vector<Unfused> unfused(const Graph& compiled, bool whole_batch) {
  std::vector<Unfused> all;
  const auto add = [&](std::vector<Unfused> some) {
    std::move(some.begin(), some.end(), std::back_inserter(all));
  };
  const ForwardPart forward = forward_part(compiled);
  if (whole_batch) {
    add(unfused_sampled_input(forward));
    add(unfused_schedules(compiled));
  }
  add(unfused_conv_blocks(forward));
  if (forward.is_trained) add(unfused_losses(forward));
  if (whole_batch) add(unfused_heads(forward));
  add(unfused_linear_merges(compiled));
  if (whole_batch) add(unfused_training_update(compiled));
  return all;
}

}  // namespace gradflip
