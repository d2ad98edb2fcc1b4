#include "runtime/fusion.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "runtime/autodiff.h"
#include "runtime/op.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/slice_rows.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

struct Block {
  Graph graph;
  Value x, convolved, activated, pooled;
};

using Activation = Value (*)(Graph& graph, Value x);

Value leaky(Graph& graph, Value x) { return ops::leaky_relu(graph, x, 0.1F); }

Block build_block(const ops::Pool2dGeometry& pool, Activation activation = ops::relu) {
  Block b;
  b.x = b.graph.external("x", {Dtype::kF32, {8, 9, 2}, segment_rows(0)});
  const Value filter = b.graph.parameter(0, "filter", {3, 2, 2, 5});
  const Value bias = b.graph.parameter(1, "bias", {5});
  b.convolved = ops::conv2d(b.graph, b.x, filter);
  b.activated = activation(b.graph, ops::bias(b.graph, b.convolved, bias));
  b.pooled = ops::max_pool2d(b.graph, b.activated, pool);
  return b;
}

TEST(FuseConvBlocksTest, MakesOneNodeOfFour) {
  const Block b = build_block({});
  const std::array<Value, 1> keep{b.pooled};
  const Rewritten fused = fuse_conv_blocks(b.graph, keep);
  EXPECT_EQ(fused.graph.nodes().size(), 1U);
  EXPECT_EQ(fused.graph.count("conv_block"), 1);
  EXPECT_EQ(fused.graph.type(fused(b.pooled)), b.graph.type(b.pooled));
}

TEST(FuseConvBlocksTest, LeavesWhatItCannotExpress) {
  const auto nodes_after = [](const Block& b, Value keep) {
    const std::array<Value, 1> kept{keep};
    return fuse_conv_blocks(b.graph, kept).graph.nodes().size();
  };
  const Block overlapping = build_block({.window_h = 3, .window_w = 3});
  EXPECT_EQ(nodes_after(overlapping, overlapping.pooled), 4U);
  const Block padded = build_block({.pad_h = 1});
  EXPECT_EQ(nodes_after(padded, padded.pooled), 4U);
  const Block watched = build_block({});
  EXPECT_EQ(nodes_after(watched, watched.activated), 4U);
}

// The fused kernels know no other rectifier than the plain one.
TEST(FuseConvBlocksTest, LeavesOtherRectifiers) {
  for (const Activation activation : {Activation{leaky}, Activation{ops::relu6}}) {
    const Block b = build_block({}, activation);
    const std::array<Value, 1> keep{b.pooled};
    EXPECT_EQ(fuse_conv_blocks(b.graph, keep).graph.nodes().size(), 4U);
  }
}

// x -> conv2d [-> bias] [-> relu] -> conv2d: gradients of all, from a loss on the last one's output.
struct Layers {
  explicit Layers(bool has_bias = true, bool has_relu = true) {
    const ops::Conv2dGeometry conv{.stride_h = 2, .pad_h = 1, .pad_w = 2};
    x = graph.external("x", {Dtype::kF32, {8, 9, 2}, segment_rows(0)});
    const Value filter = graph.parameter(0, "filter", {3, 2, 2, 5});
    const Value second = graph.parameter(1, "second", {2, 2, 5, 3});
    const Value bias = graph.parameter(2, "bias", {5});
    convolved = ops::conv2d(graph, x, filter, conv);
    biased = has_bias ? ops::bias(graph, convolved, bias) : convolved;
    y = has_relu ? ops::relu(graph, biased) : biased;
    wrt = {x, filter, second};
    if (has_bias) wrt.push_back(bias);
    loss = sum_all(graph, ops::square(graph, ops::conv2d(graph, y, second)), 0.5F);
  }
  Graph graph;
  Value x, convolved, biased, y, loss;
  std::vector<Value> wrt;
};

TEST(FuseConvLayersTest, MakesOneNodeOfThree) {
  for (const auto& [has_bias, has_relu] : {std::pair(true, true), {true, false}, {false, true}}) {
    const Layers layers(has_bias, has_relu);
    const Rewritten fused = fuse_conv_layers(layers.graph, std::span(&layers.loss, 1));
    EXPECT_EQ(fused.graph.count("conv_layer"), 1);
    EXPECT_EQ(fused.graph.count("conv2d"), 1);
    EXPECT_EQ(fused.graph.count("bias") + fused.graph.count("relu"), 0);
  }
}

TEST(FuseConvLayersTest, LeavesWhatIsReadBetween) {
  const Layers layers;
  const auto fused_around = [&](Value read) {
    const std::array<Value, 2> keep{layers.loss, read};
    return fuse_conv_layers(layers.graph, keep).graph;
  };
  const Graph no_relu = fused_around(layers.biased);
  EXPECT_EQ(no_relu.count("conv_layer"), 1);
  EXPECT_EQ(no_relu.count("relu"), 1);
  const Graph none = fused_around(layers.convolved);
  EXPECT_EQ(none.count("conv_layer"), 0);
  EXPECT_EQ(none.nodes().size(), layers.graph.nodes().size());
  EXPECT_EQ(fused_around(layers.y).count("conv_layer"), 1);
}

template <typename Ctx>
class FusedConvLayerTest : public BackendTest<Ctx> {
 protected:
  std::vector<std::vector<float>> run(Graph graph, Value x, Value loss, std::vector<Value> wrt) {
    Parameters parameters;
    parameters.add("filter", {3, 2, 2, 5}, FileLayout::same({3, 2, 2, 5}), Uniform{1.0F});
    parameters.add("second", {2, 2, 5, 3}, FileLayout::same({2, 2, 5, 3}), Uniform{1.0F});
    parameters.add("bias", {5}, FileLayout::same({5}), Uniform{1.0F});
    const std::vector<Value> gradients = gradients_of(graph, std::span(&loss, 1), wrt);
    graph.mark_result(gradients[0]);  // dx, which has rows
    GraphRunner runner(graph, {41}, 2, parameters, this->ctx());
    runner.set_weights(random_floats(runner.blocks().weights.bytes() / 4, /*seed=*/1));
    runner.bind(x, random_floats(41 * 8 * 9 * 2, 2));
    runner.bind_results();
    runner.run();
    std::vector<std::vector<float>> all = {runner.read_rows(gradients[0])};
    for (std::size_t i = 1; i < gradients.size(); ++i) all.push_back(runner.read(gradients[i]));
    return all;
  }
};
TYPED_TEST_SUITE(FusedConvLayerTest, Backends, BackendNames);

TYPED_TEST(FusedConvLayerTest, EqualsTheUnfusedGraph) {
  for (const auto& [has_bias, has_relu] : {std::pair(true, true), {true, false}, {false, true}}) {
    const Layers layers(has_bias, has_relu);
    const Rewritten fused = fuse_conv_layers(layers.graph, std::span(&layers.loss, 1));
    std::vector<Value> wrt;
    for (const Value value : layers.wrt) wrt.push_back(fused(value));
    const auto want = this->run(layers.graph, layers.x, layers.loss, layers.wrt);
    const auto got = this->run(fused.graph, fused(layers.x), fused(layers.loss), wrt);
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i].size(), want[i].size());
      for (std::size_t j = 0; j < got[i].size(); ++j) {
        EXPECT_NEAR(got[i][j], want[i][j], 2e-4 * (1.0 + std::abs(want[i][j]))) << i;
      }
    }
  }
}

// Two linear heads on one feature value, the second behind a reversal and on all rows, the first on
// the source's only.
struct Heads {
  Graph graph;
  Value source, target, lambda, label_weight, domain_weight;
  Value dlabel_weight, ddomain_weight, dsource;
};

Heads build_heads(bool reversed = true) {
  Heads h;
  Graph& graph = h.graph;
  const Rows all = segment_rows(0) | segment_rows(1);
  h.source = graph.external("source", {Dtype::kF32, {7}, segment_rows(0)});
  h.target = graph.external("target", {Dtype::kF32, {7}, segment_rows(1)});
  h.lambda = graph.external("lambda", {Dtype::kF32, {}, {}});
  const Value shared = graph.parameter(0, "features", {6, 7});
  h.label_weight = graph.parameter(1, "label", {3, 6});
  h.domain_weight = graph.parameter(2, "domain", {5, 6});
  const Value x =
      ops::add(graph, ops::place_rows(graph, h.source, all), ops::place_rows(graph, h.target, all));
  const Value features = ops::linear(graph, x, shared);
  const Value label =
      ops::linear(graph, ops::slice_rows(graph, features, segment_rows(0)), h.label_weight);
  const Value seen = reversed ? ops::grl(graph, features, h.lambda) : features;
  const Value domain = ops::linear(graph, seen, h.domain_weight);
  const std::array<Value, 2> losses{sum_all(graph, ops::multiply(graph, label, label), 0.5F),
                                    sum_all(graph, ops::multiply(graph, domain, domain), 0.25F)};
  const std::array<Value, 3> wrt{shared, h.label_weight, h.domain_weight};
  const std::vector<Value> gradients = gradients_of(graph, losses, wrt);
  h.dsource = gradients[0];
  h.dlabel_weight = gradients[1];
  h.ddomain_weight = gradients[2];
  return h;
}

Parameters head_parameters() {
  Parameters parameters;
  parameters.add("features", {6, 7}, FileLayout::same({6, 7}), Uniform{1.0F});
  parameters.add("label", {3, 6}, FileLayout::same({3, 6}), Uniform{1.0F});
  parameters.add("domain", {5, 6}, FileLayout::same({5, 6}), Uniform{1.0F});
  return parameters;
}

std::vector<float> run_heads(const Context& context, const Graph& graph, const Heads& h,
                             const std::function<Value(Value)>& now, Value result) {
  GraphRunner runner(graph, {40, 37}, 2, head_parameters(), context);
  runner.set_weights(random_floats(runner.blocks().weights.bytes() / 4, /*seed=*/1));
  runner.bind(now(h.source), random_floats(40 * 7, 2));
  runner.bind(now(h.target), random_floats(37 * 7, 3));
  runner.bind(now(h.lambda), std::vector<float>{0.7F});
  runner.run();
  return runner.read(now(result));
}

TEST(FuseLinearMergesTest, LeavesNoReversalAndOneLaunch) {
  const Heads h = build_heads();
  const std::array<Value, 3> keep{h.dsource, h.dlabel_weight, h.ddomain_weight};
  EXPECT_EQ(h.graph.count("grl_backward"), 1);
  const Rewritten fused = fuse_linear_merges(h.graph, keep);
  EXPECT_EQ(fused.graph.count("linear_merge"), 1);
  for (const char* gone : {"grl", "grl_backward", "linear_backward_data"}) {
    EXPECT_EQ(fused.graph.count(gone), 0) << gone;
  }
  // Merged: two data gradients, the reversal, the placing among zeros and the addition. Gone: grl's
  // forward.
  EXPECT_EQ(fused.graph.nodes().size(), h.graph.nodes().size() - 5);
}

template <typename Ctx>
class FusedLinearMergeTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(FusedLinearMergeTest, Backends, BackendNames);

TYPED_TEST(FusedLinearMergeTest, EqualsTheUnfusedGraph) {
  const Heads h = build_heads();
  const std::array<Value, 3> keep{h.dsource, h.dlabel_weight, h.ddomain_weight};
  const Rewritten fused = fuse_linear_merges(h.graph, keep);
  const auto same = [](Value value) { return value; };
  for (const Value result : keep) {
    const std::vector<float> want = run_heads(this->ctx(), h.graph, h, same, result);
    const std::vector<float> got = run_heads(this->ctx(), fused.graph, h, fused, result);
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], want[i], 1e-4 * (1.0 + std::abs(want[i])));
    }
  }
  // The domain classifier's own weight gradient is untouched by the reversal: same nodes, same
  // bits.
  EXPECT_EQ(run_heads(this->ctx(), fused.graph, h, fused, h.ddomain_weight),
            run_heads(this->ctx(), h.graph, h, same, h.ddomain_weight));
}

// What a recorded step of the fused graph enqueues; 0 where nothing is recorded.
std::int64_t recorded_launches(const Context& context, const Heads& h) {
  const std::array<Value, 3> keep{h.dsource, h.dlabel_weight, h.ddomain_weight};
  const Rewritten fused = fuse_linear_merges(h.graph, keep);
  GraphRunner runner(fused.graph, {40, 37}, 1, head_parameters(), context);
  runner.bind(fused(h.source), random_floats(40 * 7, 2));
  runner.bind(fused(h.target), random_floats(37 * 7, 3));
  runner.bind(fused(h.lambda), std::vector<float>{0.7F});
  runner.run(2);
  const Recording* step = runner.recorded_step();
  return step == nullptr ? 0 : step->launches();
}

TYPED_TEST(FusedLinearMergeTest, ReversalCostsNoLaunch) {
  const std::int64_t launches = recorded_launches(this->ctx(), build_heads(/*reversed=*/true));
  EXPECT_EQ(launches > 0, can_record(this->ctx()));
  EXPECT_EQ(launches, recorded_launches(this->ctx(), build_heads(/*reversed=*/false)));
}

TEST(FuseLinearMergesTest, KeepsAValueThatSomeoneElseReads) {
  Heads h = build_heads();
  Value reversed;
  for (const Node& node : h.graph.nodes()) {
    if (node.op->name() == "grl_backward") reversed = node.outputs[0];
  }
  const std::array<Value, 1> keep{reversed};
  EXPECT_FALSE(fuse_linear_merges(h.graph, keep)(reversed).none());
}

}  // namespace
}  // namespace gradflip
