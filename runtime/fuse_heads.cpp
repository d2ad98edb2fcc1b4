#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "kernels/require.h"
#include "runtime/fusion.h"
#include "runtime/fusion_misses.h"
#include "runtime/graph_rewrite.h"
#include "runtime/heads_chain.h"
#include "runtime/op.h"
#include "runtime/ops/heads.h"
#include "runtime/ops/weighed_loss.h"

namespace gradflip {
namespace {

std::vector<std::int32_t> weighed_losses(const Graph& graph) {
  std::vector<std::int32_t> nodes;
  for (std::size_t index = 0; index < graph.nodes().size(); ++index) {
    if (is<ops::WeighedLossAttributes>(*graph.nodes()[index].op)) {
      nodes.push_back(static_cast<std::int32_t>(index));
    }
  }
  return nodes;
}

using Group = std::vector<HeadsChain>;

std::vector<ops::Head> heads_of(const Group& group) {
  std::vector<ops::Head> heads;
  for (const HeadsChain& chain : group) heads.push_back(chain.head);
  return heads;
}

// Of so many heads on one value, in products of one precision.
Misfit count_misfit(std::size_t heads) {
  if (heads <= static_cast<std::size_t>(kMaxHeads)) return {};
  return message(heads, " heads read one value; one launch takes ", kMaxHeads);
}

// Chains by their features, as many to a group as the kernels take.
std::vector<Group> grouped(std::vector<HeadsChain> chains) {
  std::map<std::pair<std::int32_t, Math>, Group> open;
  std::vector<Group> groups;
  for (HeadsChain& chain : chains) {
    Group& group = open[{chain.features.id, chain.math}];
    if (count_misfit(group.size() + 1)) {
      groups.push_back(std::move(group));
      group.clear();
    }
    group.push_back(std::move(chain));
  }
  for (auto& [features, group] : open) {
    if (!group.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

// The last of the losses stands for the whole group, unless a node reads one of its results by
// then: a count may weigh the very loss beside it.
Misfit find_anchor(const Graph& graph, const Group& group, std::int32_t& anchor) {
  anchor = -1;
  for (const HeadsChain& chain : group) anchor = std::max(anchor, graph.info(chain.loss).producer);
  const auto is_result = [&](Value value) {
    return std::any_of(group.begin(), group.end(), [&](const HeadsChain& chain) {
      return chain.loss == value ||
             std::find(chain.counts.begin(), chain.counts.end(), value) != chain.counts.end();
    });
  };
  for (std::int32_t index = 0; index <= anchor; ++index) {
    const Node& node = graph.nodes()[static_cast<std::size_t>(index)];
    if (std::any_of(node.inputs.begin(), node.inputs.end(), is_result)) {
      return "a loss or count of a head is read before the last head is computed";
    }
  }
  return {};
}

void append_heads(Successor& fused, const Group& group) {
  const auto now = [&](Value old) { return old.none() ? Value{} : fused.now(old); };
  std::vector<ops::Head> heads = heads_of(group);
  for (ops::Head& head : heads) {
    for (ops::HeadLayer& layer : head.layers) layer = {now(layer.weight), now(layer.bias)};
    head.labels = now(head.labels);
    head.times = now(head.times);
    head.reversal = now(head.reversal);
  }
  const std::vector<ops::HeadValues> values =
      ops::heads(fused.graph(), fused.now(group[0].features), heads, group[0].math);
  for (std::size_t h = 0; h < group.size(); ++h) {
    fused.becomes(group[h].loss, values[h].loss);
    for (const Value count : group[h].counts) fused.becomes(count, values[h].correct);
  }
}

// Losses that became no head.
std::vector<Unfused> lone_losses(const Graph& graph, const HeadsMatcher& matcher) {
  std::vector<Unfused> left;
  std::vector<HeadsChain> chains;
  const auto label = [&](std::int32_t loss) {
    return layer_label(graph, graph.nodes()[static_cast<std::size_t>(loss)]);
  };
  for (const std::int32_t loss : weighed_losses(graph)) {
    HeadsChain chain;
    if (const Misfit misfit = matcher.match(loss, chain)) {
      left.push_back({label(loss), *misfit});
    } else {
      chains.push_back(std::move(chain));
    }
  }
  for (const Group& group : grouped(std::move(chains))) {
    std::int32_t anchor = -1;
    const Misfit misfit = find_anchor(graph, group, anchor);
    for (const HeadsChain& chain : group) {
      // Of a reversal, fuse_linear_merges leaves nothing that a chain could tell.
      left.push_back(
          {label(graph.info(chain.loss).producer),
           misfit.value_or(message(kReadFromOutside, ", or its gradient is reversed twice"))});
    }
  }
  return left;
}

// A layer that could have been the first one of a head, if it is that head's alone.
std::optional<Unfused> lone_layer(const Graph& graph, const HeadsMatcher& matcher,
                                  const ops::HeadsNode& heads) {
  if (heads.num_heads != 1 || heads.sees_views) return std::nullopt;
  const std::optional<LinearLayer> layer = matcher.hidden_layer(heads.features);
  if (!layer) return std::nullopt;
  const Node& linear = graph.nodes()[static_cast<std::size_t>(layer->linear)];
  return Unfused{layer_label(graph, linear),
                 matcher.layer_misfit(*layer, heads.math, heads.layers).value_or(kReadFromOutside)};
}

// Why these, on one value, are not one node.
std::string several_misfit(const std::vector<ops::HeadsNode>& nodes) {
  std::size_t heads = 0;
  bool same_math = true;
  for (const ops::HeadsNode& node : nodes) {
    heads += node.num_heads;
    same_math = same_math && node.math == nodes[0].math;
  }
  if (!same_math) return "heads on one value have products of different precisions";
  return count_misfit(heads).value_or(kReadFromOutside);
}

}  // namespace

Rewritten fuse_heads(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  const HeadsMatcher matcher(graph, rewrite);
  std::vector<HeadsChain> chains;
  for (const std::int32_t loss : weighed_losses(graph)) {
    HeadsChain chain;
    if (!matcher.match(loss, chain)) chains.push_back(std::move(chain));
  }
  for (Group& group : grouped(std::move(chains))) {
    std::int32_t anchor = -1;
    if (find_anchor(graph, group, anchor)) continue;
    std::vector<std::int32_t> absorbed;
    for (const HeadsChain& chain : group) {
      absorbed.insert(absorbed.end(), chain.nodes.begin(), chain.nodes.end());
    }
    rewrite.replace(anchor, absorbed,
                    [group = std::move(group)](Successor& fused) { append_heads(fused, group); });
  }
  return rewrite.apply();
}

std::vector<Unfused> unfused_heads(const ForwardPart& forward) {
  const Graph& graph = forward.graph;
  const GraphRewrite rewrite(graph, forward.keep);
  const HeadsMatcher matcher(graph, rewrite);
  std::vector<Unfused> left = lone_losses(graph, matcher);
  std::map<std::int32_t, std::vector<ops::HeadsNode>> by_features;
  for (const Node& node : graph.nodes()) {
    const std::optional<ops::HeadsNode> heads = ops::heads_node(node);
    if (!heads) continue;
    if (std::optional<Unfused> layer = lone_layer(graph, matcher, *heads)) left.push_back(*layer);
    std::vector<ops::HeadsNode>& beside = by_features[heads->features.id];
    beside.push_back(*heads);
    if (beside.size() > 1) left.push_back({layer_label(graph, node), several_misfit(beside)});
  }
  return left;
}

}  // namespace gradflip
