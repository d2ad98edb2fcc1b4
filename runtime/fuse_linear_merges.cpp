#include <algorithm>
#include <optional>

#include "kernels/gemm.h"
#include "kernels/misfit.h"
#include "kernels/require.h"
#include "runtime/fusion.h"
#include "runtime/fusion_misses.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/linear_merge.h"
#include "runtime/ops/slice_rows.h"

namespace gradflip {
namespace {

constexpr const char* kReversedTwice = "a term is reversed twice";

// A sum of (reversed, placed) linear input gradients, as found below one value.
struct MergeMatch {
  std::vector<ops::LinearGradientTerm> terms;  // in old values
  std::size_t count = 0;                       // of terms
  bool has_merged = false;                     // some of them in a linear_merge already
  std::vector<std::int32_t> nodes;             // all of them, the anchor included
  std::optional<Math> math;                    // of every term
};

bool is_add(const Op& op) {
  const auto* binary = attributes_of<ops::BinaryAttributes>(op);
  return binary != nullptr && binary->function == Binary::kAdd;
}

bool adds_or_reverses(const Op& op) { return is_add(op) || is<ops::GrlBackwardAttributes>(op); }

class MergeMatcher {
 public:
  explicit MergeMatcher(const GraphRewrite& rewrite) : rewrite_(rewrite) {}

  // Fills `match` if `value`, which an anchor makes, is such a sum.
  Misfit match(Value value, MergeMatch& match) const {
    Misfit misfit = read(value, {}, true, match);
    if (!misfit && match.has_merged) misfit = "a part of the sum has been merged already";
    return misfit;
  }

 private:
  // Reads the expression that makes `value`. `reversal` is the lambda met on the way.
  Misfit read(Value value, Value reversal, bool anchor, MergeMatch& match) const {
    const Node* node = rewrite_.producer(value);
    if (node == nullptr) return "a term is an input of the graph";
    if (!anchor && rewrite_.readers(value) != 1) {
      return message("a term, of ", node->op->name(), ", is read by others too");
    }
    const std::int32_t index = rewrite_.producer_index(value);
    if (rewrite_.is_absorbed(index)) return "a term is part of another sum";
    match.nodes.push_back(index);
    if (const auto* linear = attributes_of<ops::LinearBackwardDataAttributes>(*node->op)) {
      // Of a longer sum a part is merged, which has an anchor of its own; the rest is added to it.
      if (Misfit misfit = add_terms(1, linear->math, match)) return misfit;
      match.terms.push_back({node->inputs[0], node->inputs[1], reversal});
      return {};
    }
    // In a graph that has been rewritten: a part, of which the rest may tell why it is one.
    if (const auto* merge = attributes_of<ops::LinearMergeAttributes>(*node->op)) {
      match.has_merged = true;
      if (merge->reverses && !reversal.none()) return kReversedTwice;
      return add_terms(merge->terms, merge->math, match);
    }
    if (is<ops::GrlBackwardAttributes>(*node->op)) {
      if (!reversal.none()) return kReversedTwice;
      return read(node->inputs[0], node->inputs[1], false, match);
    }
    if (is<ops::PlaceRowsAttributes>(*node->op))
      return read(node->inputs[0], reversal, false, match);
    if (is_add(*node->op)) {
      Misfit misfit = read(node->inputs[0], reversal, false, match);
      return misfit ? misfit : read(node->inputs[1], reversal, false, match);
    }
    return message("a term comes from ", node->op->name(), ", not from linear layers");
  }

  static Misfit add_terms(std::size_t terms, Math math, MergeMatch& match) {
    match.count += terms;
    if (match.count > kMaxGemmTerms) {
      return message("more than ", kMaxGemmTerms, " terms, which is what one launch takes");
    }
    if (match.math.value_or(math) != math) return "its terms have products of two precisions";
    match.math = math;
    return {};
  }

  const GraphRewrite& rewrite_;
};

// Whether a term of a sum has what linear_merge is for.
bool is_merged(const GraphRewrite& rewrite, Value term) {
  while (const Node* placed = rewrite.producer_with<ops::PlaceRowsAttributes>(term)) {
    term = placed->inputs[0];
  }
  return rewrite.producer_with<ops::LinearBackwardDataAttributes>(term) != nullptr ||
         rewrite.producer_with<ops::LinearMergeAttributes>(term) != nullptr;
}

}  // namespace

Rewritten fuse_linear_merges(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  const MergeMatcher matcher(rewrite);
  const auto nodes = graph.nodes();
  for (auto index = static_cast<std::int32_t>(nodes.size()) - 1; index >= 0; --index) {
    const Node& node = nodes[static_cast<std::size_t>(index)];
    if (rewrite.is_absorbed(index)) continue;
    if (is<ops::GrlAttributes>(*node.op)) {  // autodiff has read it; what is left is the identity
      rewrite.replace(index, {}, [x = node.inputs[0], y = node.outputs[0]](Successor& fused) {
        fused.becomes(y, fused.now(x));
      });
      continue;
    }
    const bool candidate = adds_or_reverses(*node.op);
    MergeMatch match;
    if (!candidate || matcher.match(node.outputs[0], match)) continue;
    const ValueType& type = graph.type(node.outputs[0]);
    rewrite.replace(
        index, match.nodes,
        [terms = std::move(match.terms), math = *match.math, type,
         sum = node.outputs[0]](Successor& fused) {
          std::vector<ops::LinearGradientTerm> mapped;
          for (const ops::LinearGradientTerm& term : terms) {
            mapped.push_back({fused.now(term.dy), fused.now(term.weight),
                              term.reversal.none() ? Value{} : fused.now(term.reversal)});
          }
          fused.becomes(sum, ops::linear_merge(fused.graph(), mapped, type.rows, type.shape, math));
        });
  }
  return rewrite.apply();
}

std::vector<Unfused> unfused_linear_merges(const Graph& compiled) {
  const GraphRewrite rewrite(compiled, {});
  const MergeMatcher matcher(rewrite);
  std::vector<Unfused> left;
  for (const Node& node : compiled.nodes()) {
    if (!adds_or_reverses(*node.op)) continue;
    const bool reverses = is<ops::GrlBackwardAttributes>(*node.op);
    if (!reverses && std::none_of(node.inputs.begin(), node.inputs.end(),
                                  [&](Value term) { return is_merged(rewrite, term); })) {
      continue;  // a sum of something else
    }
    MergeMatch match;
    const Misfit misfit = matcher.match(node.outputs[0], match);
    left.push_back(
        {reverses ? "grl_backward" : "add of input gradients", misfit.value_or(kReadFromOutside)});
  }
  return left;
}

}  // namespace gradflip
