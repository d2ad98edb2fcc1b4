#include <optional>

#include "runtime/fusion.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/conv_layer.h"
#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

// conv2d + bias + rectifier, one behind the other; either of the last two may be missing.
struct ConvLayerChain {
  const Node *conv = nullptr, *bias = nullptr;
  Rectifier rectifier = kIdentity;
};

// What a rectifier's node does; none for other nodes.
std::optional<Rectifier> rectifier_of(const Node& node) {
  const auto* attributes = attributes_of<ops::ReluAttributes>(*node.op);
  return attributes != nullptr ? std::optional(attributes->rectifier) : std::nullopt;
}

// The chain that ends with `last`, nobody else reading what is between.
std::optional<ConvLayerChain> chain_ending_with(const GraphRewrite& rewrite, const Node& last) {
  ConvLayerChain chain;
  const std::optional<Rectifier> rectifier = rectifier_of(last);
  if (rectifier) {
    chain.rectifier = *rectifier;
    chain.bias = rewrite.only_producer_with<ops::BiasAttributes>(last.inputs[0]);
  } else if (is<ops::BiasAttributes>(*last.op)) {
    chain.bias = &last;
  } else {
    return {};
  }
  const Node& above_conv = chain.bias != nullptr ? *chain.bias : last;
  chain.conv = rewrite.only_producer_with<ops::Conv2dGeometry>(above_conv.inputs[0]);
  return chain.conv == nullptr ? std::nullopt : std::optional(chain);
}

void replace_chain(GraphRewrite& rewrite, std::int32_t index, const Node& last,
                   const ConvLayerChain& chain) {
  std::vector<std::int32_t> absorbed = {rewrite.producer_index(chain.conv->outputs[0])};
  if (chain.bias != nullptr && chain.bias != &last) {
    absorbed.push_back(rewrite.producer_index(chain.bias->outputs[0]));
  }
  const ops::ConvLayerAttributes attributes{*attributes_of<ops::Conv2dGeometry>(*chain.conv->op),
                                            chain.rectifier};
  rewrite.replace(index, absorbed,
                  [x = chain.conv->inputs[0], filter = chain.conv->inputs[1],
                   bias = chain.bias != nullptr ? chain.bias->inputs[1] : Value{},
                   y = last.outputs[0], attributes](Successor& fused) {
                    fused.becomes(
                        y, ops::conv_layer(fused.graph(), fused.now(x), fused.now(filter),
                                           bias.none() ? Value{} : fused.now(bias), attributes));
                  });
}

}  // namespace

Rewritten fuse_conv_layers(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  // The chains that end with a rectifier first: the others are parts of them.
  for (const bool rectified : {true, false}) {
    std::int32_t index = -1;
    for (const Node& node : graph.nodes()) {
      ++index;
      if (rectifier_of(node).has_value() != rectified || rewrite.is_absorbed(index)) continue;
      const std::optional<ConvLayerChain> chain = chain_ending_with(rewrite, node);
      if (chain) replace_chain(rewrite, index, node, *chain);
    }
  }
  return rewrite.apply();
}

}  // namespace gradflip
