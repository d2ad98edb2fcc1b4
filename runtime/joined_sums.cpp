#include "runtime/joined_sums.h"

#include <algorithm>
#include <iterator>

#include "runtime/op.h"

namespace gradflip {
namespace {

std::vector<int> count_readers(const Graph& graph) {
  std::vector<int> readers(static_cast<std::size_t>(graph.num_values()), 0);
  for (const Node& node : graph.nodes()) {
    for (const Value input : node.inputs) ++readers[input.index()];
  }
  return readers;
}

}  // namespace

JoinedSums::JoinedSums(const Graph& graph)
    : graph_(graph),
      of_gradient_(static_cast<std::size_t>(graph.num_values()), 0),
      into_(of_gradient_.size()),
      writers_(of_gradient_.size()) {
  const std::vector<int> readers = count_readers(graph);
  for (std::size_t index = graph.nodes().size(); index-- > 0;) {
    const Node& node = graph.nodes()[index];
    if (node.op->name() != "add") continue;
    const Value sum = node.outputs[0];
    if (graph.info(sum).parameter < 0 && of_gradient_[sum.index()] == 0) continue;
    for (const Value part : node.inputs) {
      const ValueInfo& info = graph.info(part);
      of_gradient_[part.index()] = info.kind == ValueKind::kComputed && info.parameter < 0 &&
                                   !info.result && readers[part.index()] == 1;
    }
  }
}

std::vector<std::int32_t> JoinedSums::writers(Value sum) const {
  if (!writers_[sum.index()].empty()) return writers_[sum.index()];
  const std::int32_t producer = graph_.info(sum).producer;
  const Op& op = *graph_.nodes()[static_cast<std::size_t>(producer)].op;
  if (op.across() != Across::kSum || op.view()) return {};
  return {producer};
}

bool JoinedSums::join(std::int32_t add, const std::vector<int>& phase) {
  const Node& node = graph_.nodes()[static_cast<std::size_t>(add)];
  if (node.op->name() != "add" || !graph_.type(node.outputs[0]).rows.none()) return false;
  std::vector<std::int32_t> all;
  for (const Value part : node.inputs) {
    if (of_gradient_[part.index()] == 0) return false;
    const std::vector<std::int32_t> writers = this->writers(part);
    if (writers.empty()) return false;
    all.insert(all.end(), writers.begin(), writers.end());
  }
  std::sort(all.begin(), all.end());
  const int first = phase[static_cast<std::size_t>(all.front())];
  const bool sharded = first % 2 == 1;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto writer = static_cast<std::size_t>(all[i]);
    if (!sharded || phase[writer] != first) return false;
    // A launch accumulates all of its sums, or none.
    const std::vector<Value>& outputs = graph_.nodes()[writer].outputs;
    const auto sums = std::count_if(outputs.begin(), outputs.end(),
                                    [&](Value output) { return graph_.type(output).rows.none(); });
    if (i > 0 && (sums != 1 || all[i] == all[i - 1])) return false;
  }
  for (const Value part : node.inputs) into_[part.index()] = node.outputs[0];
  writers_[node.outputs[0].index()] = std::move(all);
  return true;
}

std::vector<char> JoinedSums::accumulating() const {
  std::vector<char> accumulating(graph_.nodes().size(), 0);
  for (const std::vector<std::int32_t>& writers : writers_) {
    for (std::size_t i = 1; i < writers.size(); ++i) {
      accumulating[static_cast<std::size_t>(writers[i])] = 1;
    }
  }
  return accumulating;
}

}  // namespace gradflip
