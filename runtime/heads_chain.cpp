#include "runtime/heads_chain.h"

#include "kernels/require.h"
#include "runtime/op.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/weighed_loss.h"

namespace gradflip {

Misfit HeadsMatcher::match(std::int32_t loss, HeadsChain& chain) const {
  const Node& node = graph_.nodes()[static_cast<std::size_t>(loss)];
  if (Misfit misfit = read_loss(node, chain)) return misfit;
  chain.loss = node.outputs[0];
  chain.nodes.push_back(loss);
  const Value logits = node.inputs[0], labels = node.inputs[1];
  chain.head.rows = graph_.type(logits).rows;
  if (node.inputs.size() > 2) chain.head.times = node.inputs[2];
  find_counts(logits, labels, chain);
  const int readers = 1 + static_cast<int>(chain.counts.size());
  if (rewrite_.readers(logits) != readers) {
    return "the logits are read by more than the loss and its counts";
  }
  if (Misfit misfit = read_layers(logits, readers, chain)) return misfit;
  read_labels(labels, readers, chain);
  return ops::heads_misfit(graph_, chain.features, std::span(&chain.head, 1));
}

// The loss's own attributes.
Misfit HeadsMatcher::read_loss(const Node& node, HeadsChain& chain) const {
  const auto& weighed = *attributes_of<ops::WeighedLossAttributes>(*node.op);
  chain.head.weights = weighed.weights;
  if (const auto* softmax = std::get_if<ops::SoftmaxCrossEntropyAttributes>(&weighed.loss)) {
    chain.head.loss = HeadLoss::kSoftmaxCrossEntropy;
    chain.head.label_smoothing = softmax->label_smoothing;
  } else {
    chain.head.loss = HeadLoss::kBceWithLogits;
    chain.head.label_smoothing =
        std::get<ops::BceWithLogitsAttributes>(weighed.loss).label_smoothing;
  }
  if (rewrite_.readers(node.outputs[1]) != 0) return "another node reads the loss's gradient";
  return {};
}

void HeadsMatcher::find_counts(Value logits, Value labels, HeadsChain& chain) const {
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

// The layer that makes a value with so many readers.
std::optional<LinearLayer> HeadsMatcher::layer(Value value, int readers) const {
  const Node* bias = rewrite_.only_producer_with<ops::BiasAttributes>(value, readers);
  const Node* linear = bias == nullptr
                           ? nullptr
                           : rewrite_.only_producer_with<ops::LinearAttributes>(bias->inputs[0]);
  if (linear == nullptr) return std::nullopt;
  return LinearLayer{rewrite_.producer_index(bias->inputs[0]),
                     rewrite_.producer_index(value),
                     linear->inputs[0],
                     linear->inputs[1],
                     bias->inputs[1],
                     attributes_of<ops::LinearAttributes>(*linear->op)->math};
}

std::optional<LinearLayer> HeadsMatcher::hidden_layer(Value x) const {
  const Node* relu = rewrite_.only_producer_with<ops::ReluAttributes>(x);
  return relu == nullptr || !ops::is_relu(*relu->op) ? std::nullopt : layer(relu->inputs[0], 1);
}

Misfit HeadsMatcher::layer_misfit(const LinearLayer& layer, Math math, std::size_t layers) const {
  const std::int64_t width = graph_.type(layer.weight).shape[0];
  if (layer.math != math) return "its products have another precision than those behind it";
  if (width > kMaxHeadWidth) {
    return message(width, " wide; a head's hidden layers are at most ", kMaxHeadWidth);
  }
  if (layers == static_cast<std::size_t>(kMaxHeadLayers)) {
    return message("a head behind it has ", kMaxHeadLayers,
                   " layers already, and may have no more");
  }
  return {};
}

// From the logits up to the features, which may be the output of a layer that does not fit.
Misfit HeadsMatcher::read_layers(Value logits, int readers, HeadsChain& chain) const {
  std::optional<LinearLayer> next = layer(logits, readers);
  if (!next) return "the logits come from no linear layer with a bias of its own";
  chain.math = next->math;
  Value x;
  while (next) {
    chain.nodes.push_back(next->linear);
    chain.nodes.push_back(next->bias);
    chain.head.layers.insert(chain.head.layers.begin(), {next->weight, next->offset});
    x = next->x;
    next = hidden_layer(x);
    if (next && layer_misfit(*next, chain.math, chain.head.layers.size())) next.reset();
    if (next) chain.nodes.push_back(rewrite_.producer_index(x));
  }
  return read_views(x, chain);
}

// Through the views between the first layer and the features. A view that others read
// stays for him, and so do those that it is a view of.
Misfit HeadsMatcher::read_views(Value value, HeadsChain& chain) const {
  bool stays = false;
  for (;;) {
    const Node* grl = rewrite_.producer_with<ops::GrlAttributes>(value);
    const Node* view =
        grl != nullptr ? grl : rewrite_.producer_with<ops::SliceRowsAttributes>(value);
    if (view == nullptr) break;
    if (grl != nullptr) {
      if (!chain.head.reversal.none()) return "its gradient is reversed twice";
      chain.head.reversal = grl->inputs[1];
    }
    stays = stays || rewrite_.readers(value) != 1;
    if (!stays) chain.nodes.push_back(rewrite_.producer_index(value));
    value = view->inputs[0];
  }
  chain.features = value;
  return {};
}

// Constant labels become numbers, and their node disappears if no other reads it.
void HeadsMatcher::read_labels(Value labels, int readers, HeadsChain& chain) const {
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

}  // namespace gradflip
