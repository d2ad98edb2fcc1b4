// Fused heads beside the same graph unfused.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/heads_dann.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

constexpr std::int64_t kSourceCount = 14,
                       kTargetCount = 11;  // one piece of a batch, on the CPU too

// Losses, counts, then the gradients of all parameters and of the pictures of both domains.
struct Results {
  std::vector<float> losses, counts;
  std::vector<std::vector<float>> gradients;

  bool operator==(const Results&) const = default;
};

Results run(const Context& context, HeadsDann dann, float lambda, std::int64_t steps = 1) {
  std::vector<Value> wrt;
  for (std::int32_t id = 0; id < dann.graph.num_values(); ++id) {
    if (dann.graph.info({id}).kind == ValueKind::kParameter) wrt.push_back({id});
  }
  const std::array<Value, 2> losses{dann.label_loss, dann.domain_loss};
  const std::vector<Value> gradients = gradients_of(dann.graph, losses, wrt);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    dann.graph.mark_gradient(gradients[i], static_cast<std::int32_t>(i));
  }
  GraphRunner runner(dann.graph, {kSourceCount, kTargetCount}, 1, dann.parameters, context);
  runner.set_weights(random_floats(runner.blocks().weights.bytes() / 4, /*seed=*/1));
  runner.bind(dann.source, random_floats(kSourceCount * 7, 2));
  runner.bind(dann.target, random_floats(kTargetCount * 7, 3));
  runner.bind(dann.labels, random_labels(kSourceCount, 4, 4));
  runner.bind(dann.lambda, std::vector<float>{lambda});
  runner.run(steps);
  Results results;
  results.losses = {runner.read(dann.label_loss)[0], runner.read(dann.domain_loss)[0]};
  results.counts = {runner.read(dann.label_correct)[0], runner.read(dann.domain_correct)[0]};
  for (const Value gradient : gradients) results.gradients.push_back(runner.read(gradient));
  return results;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  double largest = 0.0;
  for (const float x : want) largest = std::max(largest, static_cast<double>(std::abs(x)));
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance * (0.01 + largest)) << i;
  }
}

template <typename Ctx>
class FusedHeadsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(FusedHeadsTest, Backends, BackendNames);

TYPED_TEST(FusedHeadsTest, EqualTheUnfusedGraph) {
  for (const HeadsOptions& options :
       {HeadsOptions{}, HeadsOptions{.domain_logits = 2},
        HeadsOptions{.lambda_weighs_the_loss = true}, HeadsOptions{.over = ops::Over::kRows},
        HeadsOptions{.domain_smoothing = 0.2F},
        HeadsOptions{.domain_logits = 2, .domain_smoothing = 0.2F},
        HeadsOptions{.over = ops::Over::kNothing}}) {
    for (const float lambda : {0.0F, 0.5F}) {
      const HeadsDann dann = heads_dann(options);
      const Results want = run(this->ctx(), dann, lambda);
      const Results got = run(this->ctx(), with_fused_heads(dann), lambda);
      expect_near(got.losses, want.losses, 1e-5);
      EXPECT_EQ(got.counts, want.counts);
      for (std::size_t i = 0; i < want.gradients.size(); ++i) {
        SCOPED_TRACE(dann.parameters.list()[i].name);
        expect_near(got.gradients[i], want.gradients[i], 1e-5);
      }
    }
  }
}

// |got - want| / |want| over all gradients.
double relative_distance(const Results& got, const Results& want) {
  double difference = 0.0, size = 0.0;
  for (std::size_t i = 0; i < want.gradients.size(); ++i) {
    for (std::size_t j = 0; j < want.gradients[i].size(); ++j) {
      const double x = want.gradients[i][j];
      difference += (got.gradients[i][j] - x) * (got.gradients[i][j] - x);
      size += x * x;
    }
  }
  return std::sqrt(difference / size);
}

// Rounded differently, hidden units near zero may be on where they were off.
TYPED_TEST(FusedHeadsTest, AreNearTheUnfusedGraphInOtherModes) {
  for (const Math math : {Math::kTf32, Math::kBf16}) {
    const HeadsDann dann = heads_dann({.math = math});
    const Results want = run(this->ctx(), dann, 0.5F);
    const Results got = run(this->ctx(), with_fused_heads(dann), 0.5F);
    expect_near(got.losses, want.losses, 2e-2);
    EXPECT_LT(relative_distance(got, want), 0.1);
  }
}

TYPED_TEST(FusedHeadsTest, RepeatBitForBit) {
  const HeadsDann dann = with_fused_heads(heads_dann());
  const Results once = run(this->ctx(), dann, 0.5F);
  EXPECT_EQ(run(this->ctx(), dann, 0.5F), once);
  EXPECT_EQ(run(this->ctx(), dann, 0.5F, /*steps=*/19), once) << "recorded and replayed";
}

// Reversal is in what the extractor gets (its parameters are the first two), not in the domain
// classifier's own gradients.
TYPED_TEST(FusedHeadsTest, LambdaScalesTheFeaturesGradientAlone) {
  const HeadsDann dann = with_fused_heads(heads_dann());
  const Results none = run(this->ctx(), dann, 0.0F), half = run(this->ctx(), dann, 0.5F);
  EXPECT_EQ(none.losses, half.losses);
  for (std::size_t i = 0; i < none.gradients.size(); ++i) {
    EXPECT_EQ(none.gradients[i] == half.gradients[i], i >= 2) << i;
  }
}

// Labels in memory for both heads, on features that are an input: nothing but the heads is left.
TYPED_TEST(FusedHeadsTest, AStepIsThreeNodesAndLaunches) {
  HeadsDann dann;
  HeadsBuilder network(dann, Math::kF32);
  Graph& graph = dann.graph;
  const Value features = graph.external("features", {Dtype::kF32, {21}, segment_rows(0)});
  dann.labels = graph.external("labels", {Dtype::kI32, {}, segment_rows(0)});
  dann.lambda = graph.external("lambda", {Dtype::kF32, {}, {}});
  const Value hidden = ops::relu(graph, network.layer(features, 12));
  dann.label_loss = weighed_softmax(graph, network.layer(hidden, 3), dann.labels);
  const Value reversed = ops::grl(graph, features, dann.lambda);
  constexpr std::array<ops::SegmentNumber, 1> kDomain{{{0, 1}}};
  dann.domain_loss =
      weighed_bce(graph, network.layer(reversed, 1), ops::constant_rows(graph, kDomain));
  const std::vector<Value> keep{features, dann.labels, dann.lambda, dann.label_loss,
                                dann.domain_loss};
  Rewritten after = fuse_heads(graph, keep);
  std::vector<Value> wrt{after(features)};
  for (std::int32_t id = 0; id < after.graph.num_values(); ++id) {
    if (after.graph.info({id}).kind == ValueKind::kParameter) wrt.push_back({id});
  }
  const std::array<Value, 2> losses{after(dann.label_loss), after(dann.domain_loss)};
  const std::vector<Value> gradients = gradients_of(after.graph, losses, wrt);
  EXPECT_EQ(after.graph.nodes().size(), 3U);

  GraphRunner runner(after.graph, {19}, 1, dann.parameters, this->ctx());
  runner.set_weights(random_floats(runner.blocks().weights.bytes() / 4, 1));
  runner.bind(after(features), random_floats(19 * 21, 2));
  runner.bind(after(dann.labels), random_labels(19, 3, 3));
  runner.bind(after(dann.lambda), std::vector<float>{0.5F});
  runner.run(2);
  if (can_record(this->ctx())) {
    ASSERT_NE(runner.recorded_step(), nullptr);
    EXPECT_EQ(runner.recorded_step()->launches(), 3);
  }
  for (const float gradient : runner.read(gradients[1])) EXPECT_TRUE(std::isfinite(gradient));
}

}  // namespace
}  // namespace gradflip
