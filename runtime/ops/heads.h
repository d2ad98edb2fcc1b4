// All small heads on one feature value as one operation (kernels/heads.h): linear layers with ReLUs
// between, a loss, and how many rows each gets right. Made by fusion, for whole batches: its sums
// are over all rows of a launch, which must be all rows of the step. Where batches are cut, as on
// the CPU, run() throws unless there is but one piece.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/heads.h"
#include "kernels/misfit.h"
#include "runtime/graph.h"
#include "runtime/ops/row_weights.h"

namespace gradflip::ops {

struct HeadLayer {
  Value weight;  // (out_features, in_features)
  Value bias;    // (out_features)
};

struct Head {
  Rows rows;  // neighbours among the features' segments
  std::vector<HeadLayer> layers;
  HeadLoss loss = HeadLoss::kSoftmaxCrossEntropy;
  float label_smoothing = 0.0F;
  Value labels;  // rows x (): i32 classes or f32 numbers; none(): a number for each segment
  std::array<std::int32_t, kMaxSegments> numbers{};
  RowWeights weights;  // the loss is times * the sum of each row's loss times its weight
  Value times;         // an f32 scalar; none(): 1
  // none(): the features get the head's gradient; an f32 scalar lambda: -lambda times that
  Value reversal;
};

struct HeadValues {
  Value loss;     // f32 scalar: the unweighted sum of the rows' losses
  Value correct;  // f32 scalar
};

// What the kernels do not take in such heads, if anything.
Misfit heads_misfit(const Graph& graph, Value features, std::span<const Head> heads);

// Of a heads node, in the values of its graph.
struct HeadsNode {
  Value features;
  std::size_t num_heads = 0;
  std::size_t layers = 0;   // of the first head
  bool sees_views = false;  // a head has other rows than the features, or reverses its gradient
  Math math = Math::kF32;
};
std::optional<HeadsNode> heads_node(const Node& node);

// features: f32 rows x (any shape). One HeadValues for each head. The gradient rule appends one
// operation for the features and one for all parameters.
std::vector<HeadValues> heads(Graph& graph, Value features, std::span<const Head> heads, Math math);

}  // namespace gradflip::ops
