#include <algorithm>
#include <optional>
#include <vector>

#include "kernels/misfit.h"
#include "kernels/require.h"
#include "kernels/training_update.h"
#include "runtime/fusion.h"
#include "runtime/fusion_misses.h"
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

// An operation of another kind that changes state between these must see some of their changes and
// not others.
Misfit between_misfit(const Graph& graph, std::vector<std::int32_t> ending) {
  std::sort(ending.begin(), ending.end());
  for (std::int32_t index = ending.front(); index < ending.back(); ++index) {
    const Op& op = *graph.nodes()[static_cast<std::size_t>(index)].op;
    const bool other = !std::binary_search(ending.begin(), ending.end(), index);
    if (other && op.updates_state()) {
      return message(op.name(), " changes state between guard, update and step counter");
    }
  }
  return {};
}

Misfit find_ending(const Graph& graph, Ending& ending) {
  Misfit misfit;
  const auto take = [&](std::int32_t& place, std::int32_t index) {
    if (place >= 0) {
      misfit = message("the graph has several ",
                       graph.nodes()[static_cast<std::size_t>(index)].op->name(), " nodes");
    }
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
  if (misfit) return misfit;
  if (ending.check < 0) return "no guard checks what is finite in this graph";
  if (ending.update < 0) return "this graph updates nothing";
  if (ending.advance < 0) return "another graph raises the step counter";
  return {};
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
    if (ending.record >= 0) {
      const Node& record = node(ending.record);
      ring_ = record.inputs[0];
      recorded_.assign(record.inputs.begin() + 2, record.inputs.end());
    }
    misfit_ = rule_misfit(update);
    if (!misfit_) misfit_ = operands_misfit(ending, checked.first);
    if (!misfit_) misfit_ = guard_misfit();
    if (!misfit_) misfit_ = watch_misfit();
  }

  const Misfit& misfit() const { return misfit_; }

  void append(Successor& fused) const {
    const std::vector<Value> losses = fused.now(losses_), recorded = fused.now(recorded_),
                             after = fused.now(after_);
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
  Misfit rule_misfit(const ops::UpdateNode& update) {
    constexpr const char* kOnly = "; only plain SGD of all weights joins the guard";
    if (const auto* adam = std::get_if<AdamOptions>(&update.rule)) {
      return message(adam->decoupled ? "AdamW" : "Adam", kOnly);
    }
    options_ = std::get<SgdOptions>(update.rule);
    if (options_.nesterov) return message("Nesterov's momentum", kOnly);
    if (!values_.kinds.none()) return message("some weights are frozen or do not decay", kOnly);
    if (!values_.gradient_scale.none()) return message("gradients are clipped or scaled", kOnly);
    return {};
  }

  Misfit operands_misfit(const Ending& ending, std::int32_t first_quantity) const {
    if (first_quantity != 0) return "another graph's losses are guarded first";
    if (!(values_.guard == node(ending.check).inputs[0])) return "the update has another guard";
    const bool one_step = node(ending.advance).inputs[0] == step_ &&
                          (ending.record < 0 || node(ending.record).inputs[1] == step_);
    if (!one_step) return "guard, record and step counter follow different steps";
    return {};
  }

  // Takes the gradients off the list.
  Misfit guard_misfit() {
    if (losses_.empty() || !(losses_.back() == values_.gradients)) {
      return "the guard does not end with the gradients that the update takes";
    }
    losses_.pop_back();
    if (losses_.size() > kMaxGuardedLosses) {
      return message(losses_.size(), " losses are guarded, of at most ", kMaxGuardedLosses);
    }
    const bool scalars = std::all_of(losses_.begin(), losses_.end(), [&](Value loss) {
      return graph_.type(loss) == ValueType{Dtype::kF32, {}, {}};
    });
    if (!scalars) return "what is guarded is no number";
    return {};
  }

  // Every gradient is noted by the op that writes it, if it is not finite.
  Misfit watch_misfit() const {
    for (const Value gradient : after_) {
      const ValueInfo& info = graph_.info(gradient);
      if (info.producer < 0 || info.parameter < 0) return "an update waits for what is no gradient";
      const Op& op = *node(info.producer).op;
      if (op.watches_gradients()) continue;
      return message("the gradient of ", parameter_name(info.parameter), " is written by ",
                     op.name(), ", which does not note what is not finite");
    }
    return {};
  }

  std::string parameter_name(std::int32_t parameter) const {
    for (std::int32_t id = 0; id < graph_.num_values(); ++id) {
      const ValueInfo& info = graph_.info({id});
      if (info.kind == ValueKind::kParameter && info.parameter == parameter) return info.name;
    }
    return "a parameter";
  }

  const Graph& graph_;
  SgdOptions options_;
  ops::UpdateValues values_;
  Value step_, ring_;
  std::vector<Value> losses_, recorded_, after_;
  Misfit misfit_;
};

std::vector<std::int32_t> nodes_of(const Ending& ending) {
  std::vector<std::int32_t> nodes{ending.check, ending.update, ending.advance};
  if (ending.record >= 0) nodes.push_back(ending.record);
  return nodes;
}

// Fills `match` where it fits.
Misfit match_ending(const Graph& graph, Ending& ending, std::optional<EndingMatch>& match) {
  if (Misfit misfit = find_ending(graph, ending)) return misfit;
  match.emplace(graph, ending);
  return match->misfit() ? match->misfit() : between_misfit(graph, nodes_of(ending));
}

}  // namespace

Rewritten fuse_training_update(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  Ending ending;
  std::optional<EndingMatch> match;
  if (match_ending(graph, ending, match)) return rewrite.apply();
  const std::vector<std::int32_t> nodes = nodes_of(ending);
  rewrite.replace(*std::max_element(nodes.begin(), nodes.end()), nodes,
                  [match = *match](Successor& fused) { match.append(fused); });
  return rewrite.apply();
}

std::vector<Unfused> unfused_training_update(const Graph& compiled) {
  const bool updates =
      std::any_of(compiled.nodes().begin(), compiled.nodes().end(),
                  [](const Node& node) { return ops::update_of(node).has_value(); });
  if (!updates) return {};
  Ending ending;
  std::optional<EndingMatch> match;
  const Misfit misfit = match_ending(compiled, ending, match);
  return {{"update", misfit.value_or("it was appended after the rewrites")}};
}

}  // namespace gradflip
