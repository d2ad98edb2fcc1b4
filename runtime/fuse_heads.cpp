#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/fusion.h"
#include "runtime/graph_rewrite.h"
#include "runtime/op.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/heads.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/weighed_loss.h"

namespace gradflip {
namespace {

// A chain from features to a loss, in old values.
struct Chain {
  ops::Head head;
  Value features, loss;
  Math math = Math::kF32;
  std::vector<Value> counts;        // count_correct's outputs
  std::vector<std::int32_t> nodes;  // absorbed
};

class Matcher {
 public:
  Matcher(const Graph& graph, const GraphRewrite& rewrite) : graph_(graph), rewrite_(rewrite) {}

  std::optional<Chain> match(std::int32_t loss) const {
    const Node& node = graph_.nodes()[static_cast<std::size_t>(loss)];
    Chain chain;
    if (!read_loss(node, chain)) return std::nullopt;
    chain.loss = node.outputs[0];
    chain.nodes.push_back(loss);
    const Value logits = node.inputs[0], labels = node.inputs[1];
    chain.head.rows = graph_.type(logits).rows;
    if (node.inputs.size() > 2) chain.head.times = node.inputs[2];
    find_counts(logits, labels, chain);
    // Nobody but the loss and the counts.
    const int readers = 1 + static_cast<int>(chain.counts.size());
    if (rewrite_.readers(logits) != readers) return std::nullopt;
    if (!read_layers(logits, readers, chain)) return std::nullopt;
    read_labels(labels, readers, chain);
    return chain;
  }

 private:
  // The loss's own attributes; false for other ops, and where someone reads its gradient already.
  bool read_loss(const Node& node, Chain& chain) const {
    const auto* weighed = attributes_of<ops::WeighedLossAttributes>(*node.op);
    if (weighed == nullptr) return false;
    chain.head.weights = weighed->weights;
    if (const auto* softmax = std::get_if<ops::SoftmaxCrossEntropyAttributes>(&weighed->loss)) {
      chain.head.loss = HeadLoss::kSoftmaxCrossEntropy;
      chain.head.label_smoothing = softmax->label_smoothing;
    } else {
      chain.head.loss = HeadLoss::kBceWithLogits;
    }
    return rewrite_.readers(node.outputs[1]) == 0;
  }

  void find_counts(Value logits, Value labels, Chain& chain) const {
    const auto counts = chain.head.loss == HeadLoss::kSoftmaxCrossEntropy
                            ? &is<ops::CountCorrectAttributes>
                            : &is<ops::CountCorrectBinaryAttributes>;
    std::int32_t index = -1;
    for (const Node& node : graph_.nodes()) {
      ++index;
      if (!counts(*node.op) || !(node.inputs[0] == logits && node.inputs[1] == labels)) {
        continue;
      }
      chain.counts.push_back(node.outputs[0]);
      chain.nodes.push_back(index);
    }
  }

  // A linear layer with its bias, which makes a value that has so many readers.
  struct Layer {
    std::int32_t linear, bias;
    Value x, weight, offset;
    Math math;
  };
  std::optional<Layer> layer(Value value, int readers) const {
    const Node* bias = rewrite_.only_producer_with<ops::BiasAttributes>(value, readers);
    const Node* linear = bias == nullptr
                             ? nullptr
                             : rewrite_.only_producer_with<ops::LinearAttributes>(bias->inputs[0]);
    if (linear == nullptr) return std::nullopt;
    return Layer{rewrite_.producer_index(bias->inputs[0]),
                 rewrite_.producer_index(value),
                 linear->inputs[0],
                 linear->inputs[1],
                 bias->inputs[1],
                 attributes_of<ops::LinearAttributes>(*linear->op)->math};
  }

  // From the logits up to the features, which may be the output of a layer that does not fit.
  bool read_layers(Value logits, int readers, Chain& chain) const {
    std::optional<Layer> next = layer(logits, readers);
    if (!next) return false;
    chain.math = next->math;
    Value x;
    while (next) {
      chain.nodes.push_back(next->linear);
      chain.nodes.push_back(next->bias);
      chain.head.layers.insert(chain.head.layers.begin(), {next->weight, next->offset});
      x = next->x;
      const Node* relu = rewrite_.only_producer_with<ops::ReluAttributes>(x);
      next = relu == nullptr ? std::nullopt : layer(relu->inputs[0], 1);
      if (next && (next->math != chain.math || graph_.type(next->weight).shape[0] > kMaxHeadWidth ||
                   chain.head.layers.size() == static_cast<std::size_t>(kMaxHeadLayers))) {
        next.reset();
      }
      if (next) chain.nodes.push_back(rewrite_.producer_index(x));
    }
    return read_views(x, chain);
  }

  // Through the views between the first layer and the features. A view that somebody else reads
  // stays for him, and so do those that it is a view of.
  bool read_views(Value value, Chain& chain) const {
    bool stays = false;
    for (;;) {
      const Node* grl = rewrite_.producer_with<ops::GrlAttributes>(value);
      const Node* view =
          grl != nullptr ? grl : rewrite_.producer_with<ops::SliceRowsAttributes>(value);
      if (view == nullptr) break;
      if (grl != nullptr) {
        if (!chain.head.reversal.none()) return false;  // a product of two lambdas
        chain.head.reversal = grl->inputs[1];
      }
      stays = stays || rewrite_.readers(value) != 1;
      if (!stays) chain.nodes.push_back(rewrite_.producer_index(value));
      value = view->inputs[0];
    }
    chain.features = value;
    return true;
  }

  // Constant labels become numbers, and their node disappears if nobody else reads it.
  void read_labels(Value labels, int readers, Chain& chain) const {
    const Node* node = rewrite_.producer(labels);
    const auto* constant =
        node == nullptr ? nullptr : attributes_of<ops::ConstantRowsAttributes>(*node->op);
    if (constant == nullptr) {
      chain.head.labels = labels;
      return;
    }
    for (const ops::SegmentNumber& entry : constant->numbers) {
      chain.head.numbers[static_cast<std::size_t>(entry.segment)] = entry.number;
    }
    if (rewrite_.readers(labels) == readers) {
      chain.nodes.push_back(rewrite_.producer_index(labels));
    }
  }

  const Graph& graph_;
  const GraphRewrite& rewrite_;
};

using Group = std::vector<Chain>;

std::vector<ops::Head> heads_of(const Group& group) {
  std::vector<ops::Head> heads;
  for (const Chain& chain : group) heads.push_back(chain.head);
  return heads;
}

// Chains by their features, as many to a group as the kernels take; what does not fit is left out.
std::vector<Group> grouped(const Graph& graph, std::vector<Chain> chains) {
  std::map<std::pair<std::int32_t, Math>, Group> open;
  std::vector<Group> groups;
  for (Chain& chain : chains) {
    Group& group = open[{chain.features.id, chain.math}];
    if (!ops::heads_fit(graph, chain.features, std::span(&chain.head, 1))) continue;
    if (group.size() == static_cast<std::size_t>(kMaxHeads)) {
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

// The last of the losses stands for the whole group, unless somebody reads one of its results by
// then: a count may weigh the very loss beside it.
std::optional<std::int32_t> anchor_of(const Graph& graph, const Group& group) {
  std::int32_t anchor = -1;
  for (const Chain& chain : group) anchor = std::max(anchor, graph.info(chain.loss).producer);
  const auto is_result = [&](Value value) {
    return std::any_of(group.begin(), group.end(), [&](const Chain& chain) {
      return chain.loss == value ||
             std::find(chain.counts.begin(), chain.counts.end(), value) != chain.counts.end();
    });
  };
  for (std::int32_t index = 0; index <= anchor; ++index) {
    const Node& node = graph.nodes()[static_cast<std::size_t>(index)];
    if (std::any_of(node.inputs.begin(), node.inputs.end(), is_result)) return std::nullopt;
  }
  return anchor;
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

}  // namespace

Rewritten fuse_heads(const Graph& graph, std::span<const Value> keep) {
  GraphRewrite rewrite(graph, keep);
  const Matcher matcher(graph, rewrite);
  std::vector<Chain> chains;
  for (std::int32_t index = 0; index < static_cast<std::int32_t>(graph.nodes().size()); ++index) {
    if (std::optional<Chain> chain = matcher.match(index)) chains.push_back(std::move(*chain));
  }
  for (Group& group : grouped(graph, std::move(chains))) {
    const std::optional<std::int32_t> anchor = anchor_of(graph, group);
    if (!anchor) continue;
    std::vector<std::int32_t> absorbed;
    for (const Chain& chain : group) {
      absorbed.insert(absorbed.end(), chain.nodes.begin(), chain.nodes.end());
    }
    rewrite.replace(*anchor, absorbed,
                    [group = std::move(group)](Successor& fused) { append_heads(fused, group); });
  }
  return rewrite.apply();
}

}  // namespace gradflip
