// A chain of layers from features to a loss: what can become a head of ops/heads.h.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/misfit.h"
#include "runtime/graph.h"
#include "runtime/graph_rewrite.h"
#include "runtime/ops/heads.h"

namespace gradflip {

// In old values.
struct HeadsChain {
  ops::Head head;
  Value features, loss;
  Math math = Math::kF32;
  std::vector<Value> counts;        // count_correct's outputs
  std::vector<std::int32_t> nodes;  // absorbed
};

// A linear layer with its bias.
struct LinearLayer {
  std::int32_t linear = -1, bias = -1;  // nodes
  Value x, weight, offset;
  Math math = Math::kF32;
};

class HeadsMatcher {
 public:
  HeadsMatcher(const Graph& graph, const GraphRewrite& rewrite)
      : graph_(graph), rewrite_(rewrite) {}

  // loss: a node, a weighed_loss. Fills `chain` if it fits.
  Misfit match(std::int32_t loss, HeadsChain& chain) const;

  // The layer with a ReLU behind it that makes `x` for one reader, if one does.
  std::optional<LinearLayer> hidden_layer(Value x) const;
  // Why it does not become the first one of a head that has so many layers.
  Misfit layer_misfit(const LinearLayer& layer, Math math, std::size_t layers) const;

 private:
  Misfit read_loss(const Node& node, HeadsChain& chain) const;
  void find_counts(Value logits, Value labels, HeadsChain& chain) const;
  std::optional<LinearLayer> layer(Value value, int readers) const;
  Misfit read_layers(Value logits, int readers, HeadsChain& chain) const;
  Misfit read_views(Value value, HeadsChain& chain) const;
  void read_labels(Value labels, int readers, HeadsChain& chain) const;

  const Graph& graph_;
  const GraphRewrite& rewrite_;
};

}  // namespace gradflip
