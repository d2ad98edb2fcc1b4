#include <optional>

#include "kernels/gemm.h"
#include "runtime/fusion.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/linear_merge.h"
#include "runtime/ops/slice_rows.h"

namespace gradflip {
namespace {

// A sum of (reversed, placed) linear input gradients, as found below one value.
struct MergeMatch {
  std::vector<ops::LinearGradientTerm> terms;  // in old values
  std::vector<std::int32_t> nodes;             // all of them, the anchor included
  std::optional<Math> math;                    // of every term
};

bool is_add(const Op& op) {
  const auto* binary = attributes_of<ops::BinaryAttributes>(op);
  return binary != nullptr && binary->function == Binary::kAdd;
}

class MergeMatcher {
 public:
  explicit MergeMatcher(const GraphRewrite& rewrite) : rewrite_(rewrite) {}

  // Reads the expression that makes `value`; false if it is no such sum. `reversal` is the lambda
  // met on the way.
  bool match(Value value, Value reversal, bool anchor, MergeMatch& match) const {
    const Node* node = rewrite_.producer(value);
    if (node == nullptr || (!anchor && rewrite_.readers(value) != 1)) return false;
    const std::int32_t index = rewrite_.producer_index(value);
    if (rewrite_.is_absorbed(index)) return false;
    match.nodes.push_back(index);
    if (const auto* linear = attributes_of<ops::LinearBackwardDataAttributes>(*node->op)) {
      // Of a longer sum a part is merged, which has an anchor of its own; the rest is added to it.
      if (match.terms.size() == kMaxGemmTerms) return false;
      if (match.math.value_or(linear->math) != linear->math) return false;
      match.math = linear->math;
      match.terms.push_back({node->inputs[0], node->inputs[1], reversal});
      return true;
    }
    if (is<ops::GrlBackwardAttributes>(*node->op)) {
      return reversal.none() && this->match(node->inputs[0], node->inputs[1], false, match);
    }
    if (is<ops::PlaceRowsAttributes>(*node->op))
      return this->match(node->inputs[0], reversal, false, match);
    if (is_add(*node->op)) {
      return this->match(node->inputs[0], reversal, false, match) &&
             this->match(node->inputs[1], reversal, false, match);
    }
    return false;
  }

 private:
  const GraphRewrite& rewrite_;
};

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
    const bool candidate = is_add(*node.op) || is<ops::GrlBackwardAttributes>(*node.op);
    MergeMatch match;
    if (!candidate || !matcher.match(node.outputs[0], {}, true, match)) continue;
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

}  // namespace gradflip
