#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "kernels/misfit.h"
#include "kernels/require.h"
#include "runtime/fusion.h"
#include "runtime/fusion_misses.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/conv_block.h"
#include "runtime/ops/conv_layer.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/relu.h"
#include "runtime/pool_misfit.h"

namespace gradflip {
namespace {

// conv2d + bias + relu + max_pool2d, one behind the other.
struct ConvChain {
  const Node *conv = nullptr, *bias = nullptr, *relu = nullptr, *pool = nullptr;
};

std::optional<ConvChain> chain_above(const GraphRewrite& rewrite, const Node& pool) {
  if (!is<ops::Pool2dGeometry>(*pool.op)) return {};
  ConvChain chain{.pool = &pool};
  chain.relu = rewrite.producer_with<ops::ReluAttributes>(pool.inputs[0]);
  if (chain.relu == nullptr || !ops::is_relu(*chain.relu->op)) return {};
  chain.bias = rewrite.producer_with<ops::BiasAttributes>(chain.relu->inputs[0]);
  if (chain.bias == nullptr) return {};
  chain.conv = rewrite.producer_with<ops::Conv2dGeometry>(chain.bias->inputs[0]);
  return chain.conv == nullptr ? std::nullopt : std::optional(chain);
}

Misfit pool_node_misfit(const GraphRewrite& rewrite, const Node& pool) {
  if (Misfit misfit = pool_misfit(*attributes_of<ops::Pool2dGeometry>(*pool.op))) return misfit;
  if (rewrite.readers(pool.outputs[1]) != 0) return "another node reads the pool's winners";
  return {};
}

Misfit chain_misfit(const GraphRewrite& rewrite, const ConvChain& chain) {
  if (Misfit misfit = pool_node_misfit(rewrite, *chain.pool)) return misfit;
  for (const Node* node : {chain.conv, chain.bias, chain.relu}) {
    if (const int readers = rewrite.readers(node->outputs[0]); readers != 1) {
      return message("what ", node->op->name(), " makes has ", readers,
                     " readers, not the next node alone");
    }
  }
  return {};
}

// A conv_layer ahead of a pool, which is in all but name a chain.
const Node* layer_above(const GraphRewrite& rewrite, const Node& pool) {
  if (!is<ops::Pool2dGeometry>(*pool.op)) return nullptr;
  return rewrite.producer_with<ops::ConvLayerAttributes>(pool.inputs[0]);
}

Misfit layer_misfit(const GraphRewrite& rewrite, const Node& layer, const Node& pool) {
  if (layer.inputs.size() < 3) return "it has no bias";
  const Rectifier& rectifier = attributes_of<ops::ConvLayerAttributes>(*layer.op)->rectifier;
  if (rectifier.slope != 0.0F || std::isfinite(rectifier.cap)) return "it does not end in a ReLU";
  if (Misfit misfit = pool_node_misfit(rewrite, pool)) return misfit;
  if (const int readers = rewrite.readers(layer.outputs[0]); readers != 1) {
    return message("what ", layer.op->name(), " makes has ", readers,
                   " readers, not the pool alone");
  }
  return {};
}

}  // namespace

Rewritten fuse_conv_blocks(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  std::int32_t index = -1;
  for (const Node& node : graph.nodes()) {
    ++index;
    const std::optional<ConvChain> chain = chain_above(rewrite, node);
    if (!chain || chain_misfit(rewrite, *chain)) continue;
    const auto& pool = *attributes_of<ops::Pool2dGeometry>(*node.op);
    const ops::ConvBlockGeometry geometry{*attributes_of<ops::Conv2dGeometry>(*chain->conv->op),
                                          pool.window_h, pool.window_w};
    rewrite.replace(
        index,
        {rewrite.producer_index(node.inputs[0]), rewrite.producer_index(chain->relu->inputs[0]),
         rewrite.producer_index(chain->bias->inputs[0])},
        [x = chain->conv->inputs[0], filter = chain->conv->inputs[1], b = chain->bias->inputs[1],
         pooled = node.outputs[0], geometry](Successor& fused) {
          fused.becomes(pooled, ops::conv_block(fused.graph(), fused.now(x), fused.now(filter),
                                                fused.now(b), geometry));
        });
  }
  return rewrite.apply();
}

// fuse_conv_layers has been here: what is left of a chain is one node ahead of the pool.
std::vector<Unfused> unfused_conv_blocks(const ForwardPart& forward) {
  const GraphRewrite rewrite(forward.graph, forward.keep);
  std::vector<Unfused> left;
  std::set<const Node*> named;
  const auto leave = [&](const Node& conv, std::string why) {
    named.insert(&conv);
    left.push_back({layer_label(forward.graph, conv), std::move(why)});
  };
  for (const Node& node : forward.graph.nodes()) {
    if (const std::optional<ConvChain> chain = chain_above(rewrite, node)) {
      leave(*chain->conv, chain_misfit(rewrite, *chain).value_or(kReadFromOutside));
    } else if (const Node* layer = layer_above(rewrite, node)) {
      leave(*layer, layer_misfit(rewrite, *layer, node).value_or(kReadFromOutside));
    }
  }
  for (const Node& node : forward.graph.nodes()) {
    if (!is<ops::Conv2dGeometry>(*node.op) || named.contains(&node)) continue;
    leave(node, "no bias or ReLU follows it alone");
  }
  return left;
}

}  // namespace gradflip
