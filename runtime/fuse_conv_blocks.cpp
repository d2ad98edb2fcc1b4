#include "runtime/fusion.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/conv_block.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/relu.h"

namespace gradflip {
namespace {

bool fits_conv_block(const ops::Pool2dGeometry& pool) {
  return pool.window_h == pool.stride_h && pool.window_w == pool.stride_w && pool.pad_h == 0 &&
         pool.pad_w == 0 && pool.window_h * pool.window_w < kDeadWinner;
}

}  // namespace

Rewritten fuse_conv_blocks(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  std::int32_t index = -1;
  for (const Node& node : graph.nodes()) {
    ++index;
    const auto* pool = attributes_of<ops::Pool2dGeometry>(*node.op);
    if (pool == nullptr || !fits_conv_block(*pool) || rewrite.readers(node.outputs[1]) != 0)
      continue;
    const Node* relu = rewrite.only_producer_with<ops::ReluAttributes>(node.inputs[0]);
    const Node* bias = relu == nullptr
                           ? nullptr
                           : rewrite.only_producer_with<ops::BiasAttributes>(relu->inputs[0]);
    const Node* conv = bias == nullptr
                           ? nullptr
                           : rewrite.only_producer_with<ops::Conv2dGeometry>(bias->inputs[0]);
    if (conv == nullptr) continue;
    const ops::ConvBlockGeometry geometry{*attributes_of<ops::Conv2dGeometry>(*conv->op),
                                          pool->window_h, pool->window_w};
    rewrite.replace(
        index,
        {rewrite.producer_index(node.inputs[0]), rewrite.producer_index(relu->inputs[0]),
         rewrite.producer_index(bias->inputs[0])},
        [x = conv->inputs[0], filter = conv->inputs[1], b = bias->inputs[1],
         pooled = node.outputs[0], geometry](Successor& fused) {
          fused.becomes(pooled, ops::conv_block(fused.graph(), fused.now(x), fused.now(filter),
                                                fused.now(b), geometry));
        });
  }
  return rewrite.apply();
}

}  // namespace gradflip
