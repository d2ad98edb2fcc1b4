// What the rewrite makes of heads, and what it leaves.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/heads.h"
#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "runtime/op.h"
#include "tests/support/graph_runner.h"
#include "tests/support/heads_dann.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

TEST(FuseHeadsTest, OneNodeIsLeftOfAllHeads) {
  for (const std::int64_t domain_logits : {1, 2}) {
    const HeadsDann before = heads_dann({.domain_logits = domain_logits});
    const HeadsDann after = with_fused_heads(before);
    EXPECT_EQ(after.graph.count("heads"), 1);
    EXPECT_EQ(after.graph.count("linear"), 1);  // the extractor's
    for (const char* gone : {"grl", "slice_rows", "weighed_loss", "count_correct",
                             "count_correct_binary", "constant_rows", "constant_labels"}) {
      EXPECT_EQ(after.graph.count(gone), 0) << gone;
    }
    EXPECT_EQ(after.graph.type(after.domain_loss), before.graph.type(before.domain_loss));
    EXPECT_TRUE(after.label_logits.none());
  }
}

TEST(FuseHeadsTest, GradientsAreTwoNodes) {
  HeadsDann dann = with_fused_heads(heads_dann());
  std::vector<Value> parameters;
  for (std::int32_t id = 0; id < dann.graph.num_values(); ++id) {
    if (dann.graph.info({id}).kind == ValueKind::kParameter) parameters.push_back({id});
  }
  const std::array<Value, 2> losses{dann.label_loss, dann.domain_loss};
  for (const Value gradient : gradients_of(dann.graph, losses, parameters)) {
    EXPECT_FALSE(gradient.none());
  }
  EXPECT_EQ(dann.graph.count("heads_backward_data"), 1);
  EXPECT_EQ(dann.graph.count("heads_backward_weights"), 1);
  EXPECT_EQ(dann.graph.count("grl_backward"), 0);
  EXPECT_EQ(dann.graph.count("place_rows"), 2);  // the pictures'
  EXPECT_EQ(dann.graph.count("add"), 1);
}

// Only what is wanted.
TEST(FuseHeadsTest, FrozenLayersCostNothing) {
  HeadsDann dann = with_fused_heads(heads_dann());
  const std::array<Value, 2> losses{dann.label_loss, dann.domain_loss};
  Value weight;  // of a head's second layer
  for (std::int32_t id = 0; id < dann.graph.num_values(); ++id) {
    if (dann.graph.info({id}).name == "p4") weight = {id};
  }
  const std::array<Value, 1> wrt{weight};
  const Value dweight = gradients_of(dann.graph, losses, wrt)[0];
  EXPECT_EQ(dann.graph.type(dweight).shape, dann.graph.type(weight).shape);
  EXPECT_EQ(dann.graph.count("heads_backward_data"), 0);
  EXPECT_EQ(dann.graph.nodes().back().outputs.size(), 1U);
}

TEST(FuseHeadsTest, LeavesAHeadThatSomebodyLooksInto) {
  const HeadsDann dann = heads_dann();
  for (const Value watched : {dann.label_hidden, dann.label_logits}) {
    std::vector<Value> keep = dann.kept();
    keep.push_back(watched);
    const Rewritten rewritten = fuse_heads(dann.graph, keep);
    EXPECT_FALSE(rewritten(watched).none());
    // Beside the domain classifier: what follows a hidden layer that is read is a head on that
    // layer, what makes logits that are read stays.
    const bool is_hidden = watched == dann.label_hidden;
    EXPECT_EQ(rewritten.graph.count("heads"), is_hidden ? 2 : 1);
    EXPECT_EQ(rewritten.graph.count("weighed_loss"), is_hidden ? 0 : 1);
  }
}

TEST(FuseHeadsTest, LeavesWhatTheKernelsDoNotTake) {
  HeadsDann dann;
  HeadsBuilder network(dann, Math::kF32);
  const Value x = dann.graph.external("x", {Dtype::kF32, {5}, segment_rows(0)});
  dann.labels = dann.graph.external("labels", {Dtype::kI32, {}, segment_rows(0)});
  const Value wide = ops::relu(dann.graph, network.layer(x, kMaxHeadWidth + 1));
  const Value narrow = weighed_softmax(dann.graph, network.layer(wide, 3), dann.labels);
  const Value many = weighed_softmax(dann.graph, network.layer(x, kMaxHeadLogits + 1), dann.labels);
  const std::array<Value, 2> keep{narrow, many};
  const Graph after = fuse_heads(dann.graph, keep).graph;
  EXPECT_EQ(after.count("heads"), 1);  // on the wide layer
  EXPECT_EQ(after.count("linear"), 2);
  EXPECT_EQ(after.count("weighed_loss"), 1);
}

// The head begins behind a rectifier that its kernels do not know.
TEST(FuseHeadsTest, LeavesOtherRectifiers) {
  for (const bool is_leaky : {true, false}) {
    HeadsDann dann;
    Graph& graph = dann.graph;
    HeadsBuilder network(dann, Math::kF32);
    const Value x = graph.external("x", {Dtype::kF32, {5}, segment_rows(0)});
    const Value labels = graph.external("labels", {Dtype::kI32, {}, segment_rows(0)});
    const Value hidden = network.layer(x, 9);
    const Value h = is_leaky ? ops::leaky_relu(graph, hidden, 0.1F) : ops::relu6(graph, hidden);
    const Value loss = weighed_softmax(graph, network.layer(h, 3), labels);
    const Graph after = fuse_heads(graph, std::array<Value, 1>{loss}).graph;
    EXPECT_EQ(after.count("heads"), 1);
    EXPECT_EQ(after.count("linear"), 1);
    EXPECT_EQ(after.count(is_leaky ? "leaky_relu" : "relu6"), 1);
  }
}

// A loss that is read before the next one exists cannot wait for it.
TEST(FuseHeadsTest, LeavesALossThatIsReadBeforeTheLastOne) {
  HeadsDann dann;
  HeadsBuilder network(dann, Math::kF32);
  const Value x = dann.graph.external("x", {Dtype::kF32, {5}, segment_rows(0)});
  dann.labels = dann.graph.external("labels", {Dtype::kI32, {}, segment_rows(0)});
  const Value first = weighed_softmax(dann.graph, network.layer(x, 3), dann.labels);
  const Value twice = ops::add(dann.graph, first, first);
  const Value second = weighed_softmax(dann.graph, network.layer(x, 3), dann.labels);
  const std::array<Value, 3> keep{first, twice, second};
  EXPECT_EQ(fuse_heads(dann.graph, keep).graph.count("heads"), 0);
}

// Somebody reads the second of two views, which is one of the first.
TEST(FuseHeadsTest, LeavesViewsOfWhichSomebodyReadsOne) {
  HeadsDann d;
  const Value x = d.graph.external("x", {Dtype::kF32, {7}, kHeadsSource});
  const Value lambda = d.graph.external("lambda", {Dtype::kF32, {}, {}});
  const Value labels = d.graph.external("labels", {Dtype::kI32, {}, kHeadsSource});
  const Value features = ops::relu(d.graph, x);
  const Value sliced = ops::slice_rows(d.graph, features, kHeadsSource);
  const Value seen = ops::grl(d.graph, sliced, lambda);
  const Value logits = HeadsBuilder(d, Math::kF32).layer(seen, 4);
  const Value loss = weighed_softmax(d.graph, logits, labels);
  Rewritten fused;
  ASSERT_NO_THROW(fused = fuse_heads(d.graph, std::array{seen, loss}));
  EXPECT_EQ(fused.graph.count("heads"), 1);
  EXPECT_FALSE(fused(seen).none());
}

// How many are right is a constant, alone and in what fusion makes of it.
TEST(FuseHeadsTest, CountsHaveNoGradient) {
  HeadsDann d = heads_dann();
  Rewritten fused = fuse_heads(d.graph, d.kept());
  ASSERT_EQ(fused.graph.count("heads"), 1);
  std::vector<Value> parameters;
  for (std::int32_t id = 0; id < fused.graph.num_values(); ++id) {
    if (fused.graph.info({id}).kind == ValueKind::kParameter) parameters.push_back({id});
  }
  const Value weighed = ops::square(fused.graph, fused(d.label_correct));
  for (const Value gradient : gradients_of(fused.graph, std::span(&weighed, 1), parameters)) {
    EXPECT_TRUE(gradient.none());
  }
}

// A count that weighs the loss beside it cannot come from the same launch.
TEST(FuseHeadsTest, LeavesACountThatWeighsItsLoss) {
  HeadsDann d;
  const Value x = d.graph.external("x", {Dtype::kF32, {7}, kHeadsSource});
  const Value labels = d.graph.external("labels", {Dtype::kI32, {}, kHeadsSource});
  const Value logits = HeadsBuilder(d, Math::kF32).layer(x, 4);
  const Value correct = ops::count_correct(d.graph, logits, labels);
  const Value loss = weighed_softmax(d.graph, logits, labels, 0.0F, {}, correct);
  Rewritten fused;
  ASSERT_NO_THROW(fused = fuse_heads(d.graph, std::array{correct, loss}));
  EXPECT_EQ(fused.graph.count("heads"), 0);
}

// Where the batch is cut, the fused operation says that it cannot.
TEST(FuseHeadsTest, RefuseACutBatch) {
  HeadsDann dann = with_fused_heads(heads_dann());
  GraphRunner runner(dann.graph, {40, 40}, 1, dann.parameters, Cpu{});
  runner.bind(dann.source, random_floats(40 * 7, 2));
  runner.bind(dann.target, random_floats(40 * 7, 3));
  runner.bind(dann.labels, random_labels(40, 4, 4));
  runner.bind(dann.lambda, std::vector<float>{0.5F});
  EXPECT_THROW(runner.run(), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
