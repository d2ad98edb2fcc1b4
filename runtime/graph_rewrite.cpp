#include "runtime/graph_rewrite.h"

#include "runtime/op.h"

namespace gradflip {

GraphRewrite::GraphRewrite(const Graph& graph, std::span<const Value> keep)
    : graph_(graph),
      readers_(static_cast<std::size_t>(graph.num_values()), 0),
      absorbed_(graph.nodes().size(), 0) {
  for (const Node& node : graph.nodes()) {
    for (const Value input : node.inputs) ++readers_[static_cast<std::size_t>(input.id)];
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
  for (const std::int32_t node : absorbed) absorbed_[static_cast<std::size_t>(node)] = 1;
  replacements_.emplace(anchor, std::move(replacement));
}

Rewritten GraphRewrite::apply() const {
  Rewritten result;
  result.values.resize(static_cast<std::size_t>(graph_.num_values()));
  const std::function<Value(Value)> now = [&](Value old) {
    return result.values[static_cast<std::size_t>(old.id)];
  };
  for (std::int32_t id = 0; id < graph_.num_values(); ++id) {
    const ValueInfo& info = graph_.info({id});
    if (info.kind == ValueKind::kExternal) {
      result.values[static_cast<std::size_t>(id)] = result.graph.external(info.name, info.type);
    } else if (info.kind == ValueKind::kParameter) {
      result.values[static_cast<std::size_t>(id)] =
          result.graph.parameter(info.parameter, info.name, info.type.shape);
    }
  }
  std::int32_t index = -1;
  for (const Node& node : graph_.nodes()) {
    ++index;
    const auto replacement = replacements_.find(index);
    if (replacement != replacements_.end()) {
      result.values[static_cast<std::size_t>(node.outputs[0].id)] =
          replacement->second(result.graph, now);
    } else if (!is_absorbed(index)) {
      std::vector<Value> inputs;
      for (const Value input : node.inputs) inputs.push_back(now(input));
      const std::vector<Value> outputs = result.graph.append(node.op, std::move(inputs));
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        result.values[static_cast<std::size_t>(node.outputs[i].id)] = outputs[i];
        const std::int32_t parameter = graph_.info(node.outputs[i]).parameter;
        if (parameter >= 0) result.graph.mark_gradient(outputs[i], parameter);
      }
    }
  }
  return result;
}

}  // namespace gradflip
