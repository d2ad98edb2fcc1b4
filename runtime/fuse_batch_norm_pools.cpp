#include <vector>

#include "runtime/fusion.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/batch_norm_parts.h"
#include "runtime/ops/batch_norm_pool.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/pool_misfit.h"

namespace gradflip {

Rewritten fuse_batch_norm_pools(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  std::int32_t index = -1;
  for (const Node& node : graph.nodes()) {
    ++index;
    const auto* pool = attributes_of<ops::Pool2dGeometry>(*node.op);
    if (pool == nullptr || pool_misfit(*pool) || rewrite.readers(node.outputs[1]) != 0) continue;
    const Node* norm = rewrite.only_producer_with<ops::BatchNormAttributes>(node.inputs[0]);
    if (norm == nullptr) continue;
    const ops::BatchNormPoolAttributes attributes{
        *attributes_of<ops::BatchNormAttributes>(*norm->op), pool->window_h, pool->window_w};
    rewrite.replace(index, {rewrite.producer_index(node.inputs[0])},
                    [inputs = norm->inputs, y = node.outputs[0], attributes](Successor& fused) {
                      const std::vector<Value> now = fused.now(inputs);
                      fused.becomes(y, ops::batch_norm_pool(fused.graph(), now[0], now[1],
                                                            ops::affine_of(now), attributes));
                    });
  }
  return rewrite.apply();
}

}  // namespace gradflip
