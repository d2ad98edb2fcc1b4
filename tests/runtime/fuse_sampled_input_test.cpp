#include <gtest/gtest.h>

#include <array>

#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "runtime/op.h"
#include "runtime/ops/conv_block.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/gather.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/sample.h"
#include "runtime/ops/schedule.h"
#include "runtime/sharding.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

constexpr std::array<std::int64_t, 2> kRows{3, 2};

// The intake of a step on two data sets, and a label of each row of the first.
struct Head {
  Graph graph;
  Value step, source, target, labels, mean, scale, filter, bias;  // inputs
  Value pictures, pooled, row_labels, lambda, rate;

  std::vector<Value> keep() const {
    return {step,   source, target, labels,     mean,   scale,
            filter, bias,   pooled, row_labels, lambda, rate};
  }
};

Parameters block_parameters() {
  Parameters parameters;
  parameters.add("filter", {3, 3, 3, 4}, FileLayout::same({3, 3, 3, 4}), Uniform{1.0F});
  parameters.add("bias", {4}, FileLayout::same({4}), Uniform{1.0F});
  return parameters;
}

Head build_head() {
  Head h;
  Graph& graph = h.graph;
  h.step = graph.external("step", {Dtype::kI64, {}, {}});
  h.source = graph.external("source", {Dtype::kU8, {7, 8, 8, 1}, {}});
  h.target = graph.external("target", {Dtype::kU8, {5, 8, 8, 3}, {}});
  h.labels = graph.external("labels", {Dtype::kI32, {7}, {}});
  h.mean = graph.external("mean", {Dtype::kF32, {3}, {}});
  h.scale = graph.external("scale", {Dtype::kF32, {3}, {}});
  h.filter = graph.parameter(0, "filter", {3, 3, 3, 4});
  h.bias = graph.parameter(1, "bias", {4});
  std::vector<ops::ImageSource> sources;
  for (const int segment : {0, 1}) {
    const Value images = segment == 0 ? h.source : h.target;
    const Sampler sampler{.seed = 3,
                          .stream = static_cast<std::uint32_t>(segment),
                          .size = graph.type(images).shape[0],
                          .batch = kRows[static_cast<std::size_t>(segment)]};
    sources.push_back({images, ops::sample_indices(graph, h.step, segment, sampler)});
  }
  h.pictures = ops::gather_normalize(graph, sources, h.mean, h.scale);
  h.row_labels = ops::gather_labels(graph, h.labels, sources[0].indices);
  h.pooled = ops::conv_block(graph, h.pictures, h.filter, h.bias, {});
  h.lambda = ops::evaluate_schedule(
      graph, h.step,
      {.kind = Schedule::Kind::kSigmoidRamp, .start = 1.0, .gamma = 10.0, .total_steps = 9});
  h.rate = ops::evaluate_schedule(graph, h.step, {.start = 0.25});
  return h;
}

TEST(FuseSampledInputTest, MakesOneNodeOfTheHead) {
  const Head h = build_head();
  const Rewritten fused = fuse_sampled_input(h.graph, h.keep());
  EXPECT_EQ(fused.graph.nodes().size(), 1U);
  EXPECT_EQ(fused.graph.count("sampled_conv_block"), 1);
  for (const Value value : h.keep()) EXPECT_EQ(fused.graph.type(fused(value)), h.graph.type(value));
}

TEST(FuseSampledInputTest, LeavesPicturesThatSomeoneElseReads) {
  const Head h = build_head();
  std::vector<Value> keep = h.keep();
  keep.push_back(h.pictures);
  EXPECT_EQ(fuse_sampled_input(h.graph, keep).graph.count("sampled_conv_block"), 0);
}

TEST(FuseSampledInputTest, LeavesDilatedFilters) {
  Head h = build_head();
  ops::conv_block(h.graph, h.pictures, h.filter, h.bias, {.conv = {.dilation_w = 2}});
  EXPECT_EQ(fuse_sampled_input(h.graph, h.keep()).graph.count("sampled_conv_block"), 0);
}

// A schedule that comes from the same launch as the pooled pictures depends on the filter no more
// than it did before.
TEST(FuseSampledInputTest, ItsSchedulesStayConstants) {
  const Head h = build_head();
  Rewritten head = fuse_sampled_input(h.graph, h.keep());
  Graph& graph = head.graph;
  const Value filter = head(h.filter), lambda = head(h.lambda), rate = head(h.rate);
  const Value reversed = ops::grl(graph, head(h.pooled), lambda);
  const Value loss = ops::scale(graph, sum_all(graph, reversed), 1.0F, rate);
  Value gradient;
  ASSERT_NO_THROW(gradient = gradient_of(graph, loss, filter));
  EXPECT_FALSE(gradient.none());
  EXPECT_TRUE(gradient_of(graph, lambda, filter).none());
}

template <typename Ctx>
class FusedSampledInputTest : public BackendTest<Ctx> {
 protected:
  struct Outcome {
    std::vector<float> dfilter, dbias, scalars;
    std::int64_t launches = 0;
  };

  // The gradients of sum(pooled^2)/2 and the schedules on the third step.
  Outcome run(bool fuse) {
    Head h = build_head();
    Rewritten head = fuse ? fuse_sampled_input(h.graph, h.keep())
                          : fuse_conv_blocks(h.graph, h.keep());  // finds nothing to do
    Graph& graph = head.graph;
    const Value pooled = head(h.pooled);
    const Value loss = sum_all(graph, ops::multiply(graph, pooled, pooled), 0.5F);
    const std::array<Value, 2> wrt{head(h.filter), head(h.bias)};
    const std::vector<Value> gradients = gradients_of(graph, std::span(&loss, 1), wrt);
    GraphRunner runner(graph, {kRows.begin(), kRows.end()}, 1, block_parameters(), this->ctx());
    runner.set_weights(random_floats(runner.blocks().weights.bytes() / 4, 1));
    runner.bind(head(h.step), std::vector<std::int64_t>{2});
    runner.bind(head(h.source), random_bytes(7 * 64, 2));
    runner.bind(head(h.target), random_bytes(5 * 192, 3));
    runner.bind(head(h.labels), random_labels(7, 345, 4));
    runner.bind(head(h.mean), std::vector<float>{90.0F, 100.0F, 110.0F});
    runner.bind(head(h.scale), std::vector<float>{0.01F, 0.02F, 0.005F});
    runner.run(2);
    Outcome outcome{
        runner.read(gradients[0]),
        runner.read(gradients[1]),
        {runner.read(head(h.lambda))[0], runner.read(head(h.rate))[0], runner.read(loss)[0]}};
    const Recording* step = runner.recorded_step();
    outcome.launches = step == nullptr ? 0 : step->launches();
    return outcome;
  }
};
TYPED_TEST_SUITE(FusedSampledInputTest, Backends, BackendNames);

TYPED_TEST(FusedSampledInputTest, EqualsTheUnfusedGraphInOneLaunch) {
  if (!batch_cut(this->ctx()).whole()) {
    EXPECT_THROW(this->run(true), std::invalid_argument);
    return;
  }
  const auto fused = this->run(true);
  const auto apart = this->run(false);
  EXPECT_EQ(fused.dfilter, apart.dfilter);
  EXPECT_EQ(fused.dbias, apart.dbias);
  EXPECT_EQ(fused.scalars, apart.scalars);
  // Two samples, two sources, labels, two schedules and the block were eight launches.
  EXPECT_EQ(fused.launches, apart.launches - 7);
}

}  // namespace
}  // namespace gradflip
