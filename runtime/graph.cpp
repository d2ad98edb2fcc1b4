#include "runtime/graph.h"

#include <algorithm>

#include "kernels/require.h"
#include "runtime/op.h"

namespace gradflip {

std::string Rows::text() const {
  std::string text = "rows{";
  for (int segment = 0; segment < kMaxSegments; ++segment) {
    if (!contains_segment(segment)) continue;
    if (text.back() != '{') text += ',';
    text += std::to_string(segment);
  }
  text += '}';
  return text;
}

std::string ValueType::text() const {
  return name_of(dtype) + " " + (rows.none() ? "" : rows.text() + " x ") + shape.text();
}

Value Graph::external(std::string name, ValueType type) {
  GRADFLIP_REQUIRE((type.rows.mask & (type.rows.mask - 1)) == 0,
                   message("graph: the external value ", name, " has rows of several segments"));
  values_.push_back({ValueKind::kExternal, type, -1, 0, -1, std::move(name)});
  return {num_values() - 1};
}

Value Graph::parameter(std::int32_t index, std::string name, Shape shape, int bank) {
  GRADFLIP_REQUIRE(bank >= 0, message("graph: ", name, " is of bank ", bank));
  values_.push_back(
      {ValueKind::kParameter, {Dtype::kF32, shape, {}}, index, bank, -1, std::move(name)});
  return {num_values() - 1};
}

std::vector<Value> Graph::append(std::shared_ptr<const Op> op, std::vector<Value> inputs) {
  std::vector<ValueType> input_types;
  input_types.reserve(inputs.size());
  for (const Value input : inputs) input_types.push_back(type(input));
  const std::vector<ValueType> output_types = op->infer(input_types);
  const auto node = static_cast<std::int32_t>(nodes_.size());
  std::vector<Value> outputs;
  for (const ValueType& output_type : output_types) {
    values_.push_back({ValueKind::kComputed, output_type, -1, 0, node, std::string(op->name())});
    outputs.push_back({num_values() - 1});
  }
  nodes_.push_back({std::move(op), std::move(inputs), outputs});
  return outputs;
}

Value Graph::append_one(std::shared_ptr<const Op> op, std::vector<Value> inputs) {
  const std::vector<Value> outputs = append(std::move(op), std::move(inputs));
  GRADFLIP_REQUIRE(outputs.size() == 1, "graph: append_one of an op with several outputs");
  return outputs.front();
}

bool Graph::can_be_gradient(Value value) const {
  const ValueInfo& info = this->info(value);
  return info.kind == ValueKind::kComputed && info.type.rows.none() &&
         info.type.dtype == Dtype::kF32 && info.parameter < 0 &&
         !nodes_[static_cast<std::size_t>(info.producer)].op->view();
}

void Graph::mark_gradient(Value value, std::int32_t parameter) {
  GRADFLIP_REQUIRE(can_be_gradient(value),
                   message("graph: value ", value.id, " (", info(value).name,
                           ") cannot be the gradient of a parameter"));
  values_[static_cast<std::size_t>(value.id)].parameter = parameter;
}

void Graph::mark_result(Value value) {
  GRADFLIP_REQUIRE(info(value).kind == ValueKind::kComputed,
                   message("graph: value ", value.id, " (", info(value).name,
                           ") cannot be a result: no node computes it"));
  values_[static_cast<std::size_t>(value.id)].result = true;
}

const ValueInfo& Graph::info(Value value) const {
  GRADFLIP_REQUIRE(value.id >= 0 && value.id < num_values(),
                   message("graph: there is no value ", value.id));
  return values_[static_cast<std::size_t>(value.id)];
}

std::int64_t Graph::count(std::string_view op_name) const {
  return std::count_if(nodes_.begin(), nodes_.end(),
                       [&](const Node& node) { return node.op->name() == op_name; });
}

std::string Graph::text() const {
  std::string text;
  const auto list = [](const std::vector<Value>& values) {
    std::string joined;
    for (const Value value : values)
      joined += (joined.empty() ? "%" : ", %") + std::to_string(value.id);
    return joined;
  };
  for (const Node& node : nodes_) {
    text +=
        list(node.outputs) + " = " + std::string(node.op->name()) + "(" + list(node.inputs) + ")";
    for (const Value output : node.outputs) text += "  " + type(output).text();
    text += "\n";
  }
  return text;
}

}  // namespace gradflip
