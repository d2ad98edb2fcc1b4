#include <algorithm>
#include <optional>
#include <vector>

#include "kernels/misfit.h"
#include "kernels/require.h"
#include "runtime/fusion.h"
#include "runtime/fusion_misses.h"
#include "runtime/gradient_flow.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/stop_gradient.h"
#include "runtime/ops/weighed_loss.h"

namespace gradflip {
namespace {

constexpr const char* kNoWeighedSum = "no term is a weighed sum of its rows' losses";

// A term that can be a weighed_loss, in old values.
struct LossMatch {
  ops::RowLoss loss;
  ops::RowWeights weights;
  Value logits, labels;
  std::int32_t anchor = -1;
  std::vector<Value> plain_sums;
  std::vector<std::int32_t> nodes;  // absorbed
};

// What the terms need beside their losses. By value id.
struct Needs {
  std::vector<char> gradient;  // one arrives from a term
  std::vector<char> early;     // weighs a term, or is read by what does, which may come forward
};

Needs needs_of(const Graph& graph, const std::vector<Term>& terms) {
  std::vector<Value> losses;
  losses.reserve(terms.size());
  for (const Term& term : terms) losses.push_back(term.loss);
  Needs needs{values_reached_from(graph, losses),
              std::vector<char>(static_cast<std::size_t>(graph.num_values()), 0)};
  for (const Term& term : terms) {
    if (term.times.none()) continue;
    needs.early[term.times.index()] = 1;
    const std::int32_t producer = graph.info(term.times).producer;
    if (producer < 0) continue;
    for (const Value input : graph.nodes()[static_cast<std::size_t>(producer)].inputs) {
      needs.early[input.index()] = 1;
    }
  }
  return needs;
}

class LossMatcher {
 public:
  LossMatcher(const Graph& graph, const GraphRewrite& rewrite, Needs needs)
      : graph_(graph), rewrite_(rewrite), needs_(std::move(needs)) {}

  // Fills `match` if the term fits.
  Misfit match(const Term& term, LossMatch& match) const {
    const Node* sum = rewrite_.producer_with<ops::SumRowsAttributes>(term.loss);
    const Node* loss = sum == nullptr ? nullptr : rewrite_.producer(sum->inputs[0]);
    if (loss == nullptr || !read_loss(*loss, match)) return kNoWeighedSum;
    if (rewrite_.readers(term.loss) != 1) return "the term's sum is read by others, too";
    const auto& attributes = *attributes_of<ops::SumRowsAttributes>(*sum->op);
    match.weights = ops::scaled(attributes.weights, term.weight);
    match.anchor = rewrite_.producer_index(term.loss);
    match.nodes = {rewrite_.producer_index(sum->inputs[0]), match.anchor};
    if (!(sum->inputs[0] == loss->outputs[0])) return kNoWeighedSum;
    // Shown are the losses, or where the loss smooths its labels, those without: its last output.
    const Value shown = loss->outputs.size() > 2 ? loss->outputs[2] : loss->outputs[0];
    find_plain_sums(shown, match);
    // The term and what shows it, nothing else.
    const auto plain = static_cast<int>(match.plain_sums.size());
    const bool is_shown_itself = shown == loss->outputs[0];
    if (rewrite_.readers(loss->outputs[0]) != 1 + (is_shown_itself ? plain : 0) ||
        (!is_shown_itself && rewrite_.readers(shown) != plain) ||
        rewrite_.readers(loss->outputs[1]) != 0) {
      return "its rows' losses are read by more than the term and plain sums for show";
    }
    if (is_read_before_anchor(match)) return "a plain sum of its rows' losses is read too early";
    if (!bring_forward(term.times, match)) return "the term's weight is computed too late";
    return {};
  }

  static bool is_row_loss(const Node& node) {
    LossMatch match;
    return read_loss(node, match);
  }

 private:
  static bool read_loss(const Node& node, LossMatch& match) {
    if (const auto* softmax = attributes_of<ops::SoftmaxCrossEntropyAttributes>(*node.op)) {
      match.loss = *softmax;
    } else if (const auto* bce = attributes_of<ops::BceWithLogitsAttributes>(*node.op)) {
      match.loss = *bce;
    } else {
      return false;
    }
    match.logits = node.inputs[0];
    match.labels = node.inputs[1];
    return true;
  }

  // Those for show: the sum that the loss makes has no gradient, and is there when the loss is.
  void find_plain_sums(Value losses, LossMatch& match) const {
    std::int32_t index = -1;
    for (const Node& node : graph_.nodes()) {
      ++index;
      const auto* sum = attributes_of<ops::SumRowsAttributes>(*node.op);
      if (sum == nullptr || !(node.inputs[0] == losses) || index == match.anchor ||
          !(sum->weights == ops::RowWeights{}) || needs_.gradient[node.outputs[0].index()] != 0 ||
          needs_.early[node.outputs[0].index()] != 0) {
        continue;
      }
      match.plain_sums.push_back(node.outputs[0]);
    }
    for (const Value plain : match.plain_sums) {
      match.nodes.push_back(rewrite_.producer_index(plain));
    }
  }

  // What stands behind the anchor and is needed there can come first if its inputs are there.
  bool bring_forward(Value times, LossMatch& match) const {
    const std::int32_t index = times.none() ? -1 : rewrite_.producer_index(times);
    if (index < match.anchor) return true;
    match.nodes.push_back(index);
    const Node& node = *rewrite_.producer(times);
    return std::all_of(node.inputs.begin(), node.inputs.end(),
                       [&](Value input) { return rewrite_.producer_index(input) < match.anchor; });
  }

  bool is_read_before_anchor(const LossMatch& match) const {
    const auto before = graph_.nodes().first(static_cast<std::size_t>(match.anchor));
    return std::any_of(before.begin(), before.end(), [&](const Node& node) {
      return std::any_of(node.inputs.begin(), node.inputs.end(), [&](Value input) {
        return std::find(match.plain_sums.begin(), match.plain_sums.end(), input) !=
               match.plain_sums.end();
      });
    });
  }

  const Graph& graph_;
  const GraphRewrite& rewrite_;
  Needs needs_;
};

// By value id: whether a gradient could go from there to a parameter.
std::vector<char> trained_values(const Graph& graph) {
  std::vector<Value> parameters;
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const ValueInfo& info = graph.info({id});
    if (info.kind == ValueKind::kParameter && info.bank == 0) parameters.push_back({id});
  }
  return values_that_depend_on(graph, parameters);
}

// Terms whose losses are sums, differences or multiples that nothing else reads, taken apart. What
// made those disappears. A multiple by something trained stays, which autodiff refuses.
std::vector<Term> taken_apart(std::vector<Term> terms, GraphRewrite& rewrite,
                              const std::vector<char>& trained) {
  std::vector<Term> parts;
  std::reverse(terms.begin(), terms.end());  // a stack: the first on top
  while (!terms.empty()) {
    const Term term = std::move(terms.back());
    terms.pop_back();
    const auto part = [&](Value loss, float factor, Value times) {
      return Term{term.name, loss, term.weight * factor, times};
    };
    const std::int32_t index = rewrite.producer_index(term.loss);
    if (const Node* node = rewrite.only_producer_with<ops::ScaleAttributes>(term.loss)) {
      const Value times = node->inputs.size() > 1 ? node->inputs[1] : Value{};
      if (times.none() || (term.times.none() && trained[times.index()] == 0)) {
        const float factor = attributes_of<ops::ScaleAttributes>(*node->op)->factor;
        terms.push_back(part(node->inputs[0], factor, times.none() ? term.times : times));
        rewrite.absorb(index);
        continue;
      }
    }
    if (const Node* node = rewrite.only_producer_with<ops::BinaryAttributes>(term.loss)) {
      const Binary function = attributes_of<ops::BinaryAttributes>(*node->op)->function;
      if (function == Binary::kAdd || function == Binary::kSubtract) {
        const float sign = function == Binary::kAdd ? 1.0F : -1.0F;
        terms.push_back(part(node->inputs[1], sign, term.times));
        terms.push_back(part(node->inputs[0], 1.0F, term.times));
        rewrite.absorb(index);
        continue;
      }
    }
    parts.push_back(term);
  }
  return parts;
}

std::vector<Value> with_losses_of(std::span<const Value> keep, std::span<const Term> terms) {
  std::vector<Value> all(keep.begin(), keep.end());
  for (const Term& term : terms) {
    all.push_back(term.loss);
    all.push_back(term.times);
  }
  return all;
}

}  // namespace

Rewritten fuse_losses(const Graph& graph, std::span<const Value> keep, std::vector<Term>& terms) {
  GraphRewrite rewrite(graph, with_losses_of(keep, terms));
  const std::vector<char> trained = trained_values(graph);
  terms = taken_apart(std::move(terms), rewrite, trained);
  const LossMatcher matcher(graph, rewrite, needs_of(graph, terms));
  for (Term& term : terms) {
    LossMatch match;
    if (matcher.match(term, match)) continue;
    const bool is_trained = !term.times.none() && trained[term.times.index()] != 0;
    rewrite.replace(match.anchor, match.nodes, [match, term, is_trained](Successor& fused) {
      Value times = term.times.none() ? Value{} : fused.brought_forward(term.times);
      if (is_trained) times = ops::stop_gradient(fused.graph(), times);  // a term's are constants
      const Value loss =
          ops::weighed_loss(fused.graph(), fused.now(match.logits), fused.now(match.labels), times,
                            match.loss, match.weights);
      fused.becomes(term.loss, loss);  // which only the term reads
      for (const Value plain : match.plain_sums) fused.becomes(plain, loss);
    });
    term.weight = 1.0F;
    term.times = {};
  }
  Rewritten rewritten = rewrite.apply();
  for (Term& term : terms) {
    term.loss = rewritten(term.loss);
    term.times = rewritten(term.times);
  }
  return rewritten;
}

std::vector<Unfused> unfused_losses(const ForwardPart& forward) {
  const Graph& graph = forward.graph;
  // Without what weighs them, of which only gradients were made.
  std::vector<Term> terms;
  for (const Value loss : forward.losses) terms.push_back({.name = {}, .loss = loss});
  const GraphRewrite rewrite(graph, forward.keep);
  const LossMatcher matcher(graph, rewrite, needs_of(graph, terms));
  std::vector<Unfused> left;
  for (const Node& node : graph.nodes()) {
    if (!LossMatcher::is_row_loss(node)) continue;
    const auto term = std::find_if(terms.begin(), terms.end(), [&](const Term& one) {
      const Node* sum = rewrite.producer_with<ops::SumRowsAttributes>(one.loss);
      return sum != nullptr && sum->inputs[0] == node.outputs[0];
    });
    LossMatch match;
    const Misfit misfit = term == terms.end() ? kNoWeighedSum : matcher.match(*term, match);
    left.push_back({layer_label(graph, node),
                    misfit.value_or(message(
                        kReadFromOutside,
                        ", or the term's weight is computed too late, or from the same losses"))});
  }
  return left;
}

}  // namespace gradflip
