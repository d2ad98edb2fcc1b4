#include <span>

#include "runtime/fusion.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/batch_norm_parts.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/fold_batch_norm.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

// Moments that are known, and the same for all rows.
bool can_fold(const ops::BatchNormAttributes& norm) {
  return !norm.of_batch && norm.groups.size() == 1 && is_identity(norm.rectifier);
}

// The same layer with other weights.
Value layer_with(Graph& graph, const Op& layer, Value x, Value weight) {
  if (const auto* conv = attributes_of<ops::Conv2dGeometry>(layer)) {
    return ops::conv2d(graph, x, weight, *conv);
  }
  return ops::linear(graph, x, weight, attributes_of<ops::LinearAttributes>(layer)->math);
}

}  // namespace

Rewritten fold_batch_norms(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  std::int32_t index = -1;
  for (const Node& node : graph.nodes()) {
    ++index;
    const auto* norm = attributes_of<ops::BatchNormAttributes>(*node.op);
    if (norm == nullptr || !can_fold(*norm)) continue;
    const Value normalised = node.inputs[0];
    const Node* layer = rewrite.only_producer_with<ops::Conv2dGeometry>(normalised);
    if (layer == nullptr) layer = rewrite.only_producer_with<ops::LinearAttributes>(normalised);
    if (layer == nullptr) continue;
    rewrite.replace(
        index, {rewrite.producer_index(normalised)},
        [op = layer->op, layer_inputs = layer->inputs, norm_inputs = node.inputs,
         y = node.outputs[0]](Successor& folded) {
          const ops::ChannelAffine affine{folded.now(norm_inputs[2]), folded.now(norm_inputs[3])};
          const auto [weight, bias] = ops::fold_batch_norm(
              folded.graph(), folded.now(layer_inputs[1]), folded.now(norm_inputs[1]), affine);
          const Value x = folded.now(layer_inputs[0]);
          folded.becomes(
              y, ops::bias(folded.graph(), layer_with(folded.graph(), *op, x, weight), bias));
        });
  }
  return rewrite.apply();
}

Rewritten fuse_batch_norms(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  std::int32_t index = -1;
  for (const Node& node : graph.nodes()) {
    ++index;
    const auto* relu = attributes_of<ops::ReluAttributes>(*node.op);
    if (relu == nullptr) continue;
    const Node* norm = rewrite.only_producer_with<ops::BatchNormAttributes>(node.inputs[0]);
    if (norm == nullptr) continue;
    ops::BatchNormAttributes attributes = *attributes_of<ops::BatchNormAttributes>(*norm->op);
    if (!is_identity(attributes.rectifier)) continue;
    attributes.rectifier = relu->rectifier;
    rewrite.replace(index, {rewrite.producer_index(node.inputs[0])},
                    [inputs = norm->inputs, y = node.outputs[0], attributes](Successor& fused) {
                      const std::vector<Value> now = fused.now(inputs);
                      fused.becomes(y, ops::batch_norm(fused.graph(), now[0], now[1],
                                                       ops::affine_of(now), attributes));
                    });
  }
  return rewrite.apply();
}

}  // namespace gradflip
