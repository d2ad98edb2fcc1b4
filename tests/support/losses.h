// Losses and gradients in one call, for tests.
#pragma once

#include <span>
#include <vector>

#include "runtime/autodiff.h"
#include "runtime/graph.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/weighed_loss.h"

namespace gradflip {

// weight * the sum of all elements of x, which has rows.
inline Value sum_all(Graph& graph, Value x, float weight = 1.0F) {
  if (graph.type(x).shape != Shape{}) x = ops::sum_features(graph, x);
  return ops::sum_rows(graph, x, ops::scaled({}, weight));
}

// Of the sum of the losses.
inline std::vector<Value> gradients_of(Graph& graph, std::span<const Value> losses,
                                       std::span<const Value> wrt) {
  std::vector<Seed> seeds;
  for (const Value loss : losses) seeds.push_back({loss, {}});
  return gradients(graph, seeds, wrt);
}
inline Value gradient_of(Graph& graph, Value loss, Value wrt) {
  return gradients_of(graph, std::span(&loss, 1), std::span(&wrt, 1))[0];
}

// What fuse_losses makes of the sum of the segments' means.
inline Value weighed_softmax(Graph& graph, Value logits, Value labels, float label_smoothing = 0.0F,
                             ops::RowWeights weights = {.over = ops::Over::kSegments},
                             Value times = {}) {
  return ops::weighed_loss(graph, logits, labels, times,
                           ops::SoftmaxCrossEntropyAttributes{label_smoothing}, weights);
}
inline Value weighed_bce(Graph& graph, Value logits, Value labels,
                         ops::RowWeights weights = {.over = ops::Over::kSegments}, Value times = {},
                         float label_smoothing = 0.0F) {
  return ops::weighed_loss(graph, logits, labels, times,
                           ops::BceWithLogitsAttributes{label_smoothing}, weights);
}

}  // namespace gradflip
