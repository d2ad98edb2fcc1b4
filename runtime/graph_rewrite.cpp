#include "runtime/graph_rewrite.h"

#include "kernels/require.h"
#include "runtime/op.h"
#include "runtime/ops/copy.h"

namespace gradflip {

Value Successor::now(Value old) const {
  const Value value = rewritten_(old);
  GRADFLIP_REQUIRE(!value.none(),
                   message("graph rewrite: value ", old.id, " is read where it does not exist"));
  return value;
}

std::vector<Value> Successor::now(std::span<const Value> old) const {
  std::vector<Value> values;
  for (const Value value : old) values.push_back(now(value));
  return values;
}

Value Successor::brought_forward(Value old) {
  if (!rewritten_(old).none()) return rewritten_(old);
  const Node& node = old_.nodes()[static_cast<std::size_t>(old_.info(old).producer)];
  std::vector<Value> inputs;
  for (const Value input : node.inputs) inputs.push_back(now(input));
  const std::vector<Value> outputs = graph().append(node.op, std::move(inputs));
  for (std::size_t i = 0; i < outputs.size(); ++i) becomes(node.outputs[i], outputs[i]);
  return now(old);
}

void Successor::becomes(Value old, Value value) {
  const ValueInfo& info = old_.info(old);
  if (info.result) {
    const ValueInfo& now = graph().info(value);
    if (now.kind != ValueKind::kComputed || now.result) value = ops::copy(graph(), value);
    graph().mark_result(value);
  }
  rewritten_.values[static_cast<std::size_t>(old.id)] = value;
  if (info.kind == ValueKind::kComputed && info.parameter >= 0) {
    graph().mark_gradient(value, info.parameter);
  }
}

GraphRewrite::GraphRewrite(const Graph& graph, std::span<const Value> keep)
    : graph_(graph),
      readers_(static_cast<std::size_t>(graph.num_values()), 0),
      absorbed_(graph.nodes().size(), 0) {
  for (const Node& node : graph.nodes()) {
    for (const Value input : node.inputs) ++readers_[static_cast<std::size_t>(input.id)];
  }
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const ValueInfo& info = graph.info({id});
    int& readers = readers_[static_cast<std::size_t>(id)];
    if (info.kind == ValueKind::kComputed && info.parameter >= 0) ++readers;
    if (info.result) ++readers;
  }
  for (const Value value : keep) {
    if (!value.none()) ++readers_[static_cast<std::size_t>(value.id)];
  }
}

std::int32_t GraphRewrite::producer_index(Value value) const { return graph_.info(value).producer; }

const Node* GraphRewrite::producer(Value value) const {
  const std::int32_t index = producer_index(value);
  return index < 0 ? nullptr : &graph_.nodes()[static_cast<std::size_t>(index)];
}

int GraphRewrite::readers(Value value) const {
  return readers_[static_cast<std::size_t>(value.id)];
}

void GraphRewrite::replace(std::int32_t anchor, const std::vector<std::int32_t>& absorbed,
                           Replacement replacement) {
  for (const std::int32_t node : absorbed) absorb(node);
  replacements_.emplace(anchor, std::move(replacement));
}

Rewritten GraphRewrite::apply() const {
  Rewritten result;
  result.values.resize(static_cast<std::size_t>(graph_.num_values()));
  Successor successor(graph_, result);
  for (std::int32_t id = 0; id < graph_.num_values(); ++id) {
    const ValueInfo& info = graph_.info({id});
    if (info.kind == ValueKind::kExternal) {
      successor.becomes({id}, result.graph.external(info.name, info.type));
    } else if (info.kind == ValueKind::kParameter) {
      successor.becomes(
          {id}, result.graph.parameter(info.parameter, info.name, info.type.shape, info.bank));
    }
  }
  std::int32_t index = -1;
  for (const Node& node : graph_.nodes()) {
    ++index;
    const auto replacement = replacements_.find(index);
    if (replacement != replacements_.end()) {
      replacement->second(successor);
    } else if (!is_absorbed(index)) {
      const std::vector<Value> outputs = result.graph.append(node.op, successor.now(node.inputs));
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        successor.becomes(node.outputs[i], outputs[i]);
      }
    }
  }
  return result;
}

}  // namespace gradflip
