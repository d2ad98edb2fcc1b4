#include <algorithm>
#include <optional>
#include <vector>

#include "kernels/training_update.h"
#include "runtime/fusion.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/check_finite.h"
#include "runtime/ops/record.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/training_update.h"
#include "runtime/ops/update.h"

namespace gradflip {
namespace {

// The nodes that end a step, by index; -1: there is none.
struct Ending {
  std::int32_t check = -1, update = -1, record = -1, advance = -1;
};

// Whether an operation of another kind changes state between these: it must see some of their
// changes and not others.
bool others_update_between(const Graph& graph, std::vector<std::int32_t> ending) {
  std::sort(ending.begin(), ending.end());
  for (std::int32_t index = ending.front(); index < ending.back(); ++index) {
    const bool other = !std::binary_search(ending.begin(), ending.end(), index);
    if (other && graph.nodes()[static_cast<std::size_t>(index)].op->updates_state()) return true;
  }
  return false;
}

// Empty if there are several of a kind.
std::optional<Ending> find_ending(const Graph& graph) {
  Ending ending;
  bool unique = true;
  const auto take = [&](std::int32_t& place, std::int32_t index) {
    unique = unique && place < 0;
    place = index;
  };
  std::int32_t index = -1;
  for (const Node& node : graph.nodes()) {
    ++index;
    if (is<ops::CheckFiniteAttributes>(*node.op)) take(ending.check, index);
    if (ops::update_of(node)) take(ending.update, index);
    if (is<ops::RecordAttributes>(*node.op)) take(ending.record, index);
    if (is<ops::AdvanceStepAttributes>(*node.op)) take(ending.advance, index);
  }
  if (!unique || ending.check < 0 || ending.update < 0 || ending.advance < 0) return {};
  return ending;
}

// What the nodes read, if it is what one training_update may read.
class EndingMatch {
 public:
  EndingMatch(const Graph& graph, const Ending& ending) : graph_(graph) {
    const Node& check = node(ending.check);
    const ops::UpdateNode update = *ops::update_of(node(ending.update));
    values_ = update.values;
    step_ = check.inputs[1];
    const auto& checked = *attributes_of<ops::CheckFiniteAttributes>(*check.op);
    const auto quantities = check.inputs.begin() + 2 + checked.count;
    losses_.assign(check.inputs.begin() + 2, quantities);
    after_.assign(quantities, check.inputs.end());
    matches_ = is_plain(update) && checked.first == 0 && values_.guard == check.inputs[0] &&
               node(ending.advance).inputs[0] == step_ && guards_losses_then_gradients() &&
               all_watched();
    if (ending.record < 0) return;
    const Node& record = node(ending.record);
    ring_ = record.inputs[0];
    recorded_.assign(record.inputs.begin() + 2, record.inputs.end());
    matches_ = matches_ && record.inputs[1] == step_;
  }

  bool matches() const { return matches_; }

  void append(Successor& fused) const {
    const auto now = [&](const std::vector<Value>& values) {
      std::vector<Value> mapped;
      mapped.reserve(values.size());
      for (const Value value : values) mapped.push_back(fused.now(value));
      return mapped;
    };
    const std::vector<Value> losses = now(losses_), recorded = now(recorded_), after = now(after_);
    ops::training_update(fused.graph(),
                         {.update = {.weights = fused.now(values_.weights),
                                     .gradients = fused.now(values_.gradients),
                                     .slots = {fused.now(values_.slots[0])},
                                     .learning_rate = fused.now(values_.learning_rate),
                                     .guard = fused.now(values_.guard)},
                          .step = fused.now(step_),
                          .losses = losses,
                          .ring = ring_.none() ? Value{} : fused.now(ring_),
                          .recorded = recorded,
                          .after = after},
                         options_);
  }

 private:
  const Node& node(std::int32_t index) const {
    return graph_.nodes()[static_cast<std::size_t>(index)];
  }

  // SGD of all weights, with nothing that the one launch does not have. Keeps its options.
  bool is_plain(const ops::UpdateNode& update) {
    const auto* options = std::get_if<SgdOptions>(&update.rule);
    if (options == nullptr || options->nesterov) return false;
    options_ = *options;
    return update.values.kinds.none() && update.values.gradient_scale.none();
  }

  // Takes the gradients off the list.
  bool guards_losses_then_gradients() {
    if (losses_.empty() || !(losses_.back() == values_.gradients)) return false;
    losses_.pop_back();
    return losses_.size() <= kMaxGuardedLosses &&
           std::all_of(losses_.begin(), losses_.end(), [&](Value loss) {
             return graph_.type(loss) == ValueType{Dtype::kF32, {}, {}};
           });
  }

  // Every gradient is noted by the op that writes it, if it is not finite.
  bool all_watched() const {
    return std::all_of(after_.begin(), after_.end(), [&](Value gradient) {
      const ValueInfo& info = graph_.info(gradient);
      return info.producer >= 0 && info.parameter >= 0 &&
             node(info.producer).op->watches_gradients();
    });
  }

  const Graph& graph_;
  SgdOptions options_;
  ops::UpdateValues values_;
  Value step_, ring_;
  std::vector<Value> losses_, recorded_, after_;
  bool matches_ = false;
};

}  // namespace

Rewritten fuse_training_update(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  const std::optional<Ending> ending = find_ending(graph);
  if (!ending) return rewrite.apply();
  const EndingMatch match(graph, *ending);
  if (!match.matches()) return rewrite.apply();
  std::vector<std::int32_t> nodes{ending->check, ending->update, ending->advance};
  if (ending->record >= 0) nodes.push_back(ending->record);
  if (others_update_between(graph, nodes)) return rewrite.apply();
  rewrite.replace(*std::max_element(nodes.begin(), nodes.end()), nodes,
                  [match](Successor& fused) { match.append(fused); });
  return rewrite.apply();
}

}  // namespace gradflip
