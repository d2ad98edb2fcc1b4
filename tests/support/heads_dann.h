// A small DANN whose heads fuse_heads() makes one operation, before and after.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "runtime/fusion.h"
#include "runtime/graph.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/parameters.h"
#include "tests/support/losses.h"

namespace gradflip {

inline constexpr Rows kHeadsSource = segment_rows(0), kHeadsBoth{0b11};

struct HeadsOptions {
  std::int64_t domain_logits = 1;
  bool lambda_weighs_the_loss = false;
  float domain_smoothing = 0.0F;
  ops::Over over = ops::Over::kSegments;
  Math math = Math::kF32;
};

// The forward half of a small DANN: extracted features, a label predictor of three layers on the
// source's rows, a domain classifier of two behind a reversal on all.
struct HeadsDann {
  Graph graph;
  Parameters parameters;
  Value source, target, labels, lambda;
  Value label_loss, domain_loss, label_correct, domain_correct;
  Value label_hidden, label_logits;

  std::vector<Value> kept() const {
    return {source, target, labels, lambda, label_loss, domain_loss, label_correct, domain_correct};
  }
};

class HeadsBuilder {
 public:
  explicit HeadsBuilder(HeadsDann& dann, Math math) : dann_(dann), math_(math) {}

  Value layer(Value x, std::int64_t width) {
    Graph& graph = dann_.graph;
    const std::int64_t inputs = graph.type(x).shape.size();
    const Value weight = parameter({width, inputs});
    return ops::bias(graph, ops::linear(graph, x, weight, math_), parameter({width}));
  }

 private:
  Value parameter(const Shape& shape) {
    const auto index = static_cast<std::int32_t>(dann_.parameters.list().size());
    const std::string name = "p" + std::to_string(index);
    dann_.parameters.add(name, shape, FileLayout::same(shape), Uniform{1.0F});
    return dann_.graph.parameter(index, name, shape);
  }

  HeadsDann& dann_;
  Math math_;
};

inline HeadsDann heads_dann(const HeadsOptions& options = {}) {
  HeadsDann d;
  Graph& graph = d.graph;
  HeadsBuilder network(d, options.math);
  d.source = graph.external("source", {Dtype::kF32, {7}, segment_rows(0)});
  d.target = graph.external("target", {Dtype::kF32, {7}, segment_rows(1)});
  d.labels = graph.external("labels", {Dtype::kI32, {}, segment_rows(0)});
  d.lambda = graph.external("lambda", {Dtype::kF32, {}, {}});
  const Value x = ops::add(graph, ops::place_rows(graph, d.source, kHeadsBoth),
                           ops::place_rows(graph, d.target, kHeadsBoth));
  const Value features = ops::relu(graph, network.layer(x, 20));

  const Value source_features = ops::slice_rows(graph, features, kHeadsSource);
  Value h = ops::relu(graph, network.layer(source_features, 9));
  d.label_hidden = h = ops::relu(graph, network.layer(h, 8));
  d.label_logits = network.layer(h, 4);
  d.label_loss = weighed_softmax(graph, d.label_logits, d.labels, 0.1F);
  d.label_correct = ops::count_correct(graph, d.label_logits, d.labels);

  const Value seen = ops::grl(graph, features, d.lambda);
  const Value logits =
      network.layer(ops::relu(graph, network.layer(seen, 10)), options.domain_logits);
  ops::RowWeights weights{.over = options.over};
  weights.weights[0] = 0.75F;
  const Value times = options.lambda_weighs_the_loss ? d.lambda : Value{};
  constexpr std::array<ops::SegmentNumber, 2> kDomains{{{0, 0}, {1, 1}}};
  if (options.domain_logits == 1) {
    const Value domains = ops::constant_rows(graph, kDomains);
    d.domain_loss = weighed_bce(graph, logits, domains, weights, times, options.domain_smoothing);
    d.domain_correct = ops::count_correct_binary(graph, logits, domains);
  } else {
    const Value domains = ops::constant_labels(graph, kDomains);
    d.domain_loss =
        weighed_softmax(graph, logits, domains, options.domain_smoothing, weights, times);
    d.domain_correct = ops::count_correct(graph, logits, domains);
  }
  return d;
}

// The same network after the rewrite.
inline HeadsDann with_fused_heads(const HeadsDann& dann) {
  Rewritten rewritten = fuse_heads(dann.graph, dann.kept());
  HeadsDann result = dann;
  for (Value* value : {&result.source, &result.target, &result.labels, &result.lambda,
                       &result.label_loss, &result.domain_loss, &result.label_correct,
                       &result.domain_correct, &result.label_hidden, &result.label_logits}) {
    *value = rewritten(*value);
  }
  result.graph = std::move(rewritten.graph);
  return result;
}

}  // namespace gradflip
