#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/heads.h"
#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "runtime/op.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/slice_rows.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

constexpr std::int64_t kSource = 14, kTarget = 11;  // one piece of a batch, on the CPU too
constexpr Rows kSourceRows = segment_rows(0), kAllRows{0b11};

struct Options {
  std::int64_t domain_logits = 1;
  bool lambda_weighs_the_loss = false;
  ops::Over over = ops::Over::kSegments;
  Math math = Math::kF32;
};

// The forward half of a small DANN: extracted features, a label predictor of three layers on the
// source's rows, a domain classifier of two behind a reversal on all.
struct Dann {
  Graph graph;
  Parameters parameters;
  Value source, target, labels, lambda;
  Value label_loss, domain_loss, label_correct, domain_correct;
  Value label_hidden, label_logits;

  std::vector<Value> kept() const {
    return {source, target, labels, lambda, label_loss, domain_loss, label_correct, domain_correct};
  }
};

class Builder {
 public:
  explicit Builder(Dann& dann, Math math) : dann_(dann), math_(math) {}

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

  Dann& dann_;
  Math math_;
};

Dann build_dann(const Options& options = {}) {
  Dann d;
  Graph& graph = d.graph;
  Builder network(d, options.math);
  d.source = graph.external("source", {Dtype::kF32, {7}, segment_rows(0)});
  d.target = graph.external("target", {Dtype::kF32, {7}, segment_rows(1)});
  d.labels = graph.external("labels", {Dtype::kI32, {}, segment_rows(0)});
  d.lambda = graph.external("lambda", {Dtype::kF32, {}, {}});
  const Value x = ops::add(graph, ops::place_rows(graph, d.source, kAllRows),
                           ops::place_rows(graph, d.target, kAllRows));
  const Value features = ops::relu(graph, network.layer(x, 20));

  const Value source_features = ops::slice_rows(graph, features, kSourceRows);
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
    d.domain_loss = weighed_bce(graph, logits, domains, weights, times);
    d.domain_correct = ops::count_correct_binary(graph, logits, domains);
  } else {
    const Value domains = ops::constant_labels(graph, kDomains);
    d.domain_loss = weighed_softmax(graph, logits, domains, 0.0F, weights, times);
    d.domain_correct = ops::count_correct(graph, logits, domains);
  }
  return d;
}

// The same network after the rewrite.
Dann fused(const Dann& dann) {
  Rewritten rewritten = fuse_heads(dann.graph, dann.kept());
  Dann result = dann;
  for (Value* value : {&result.source, &result.target, &result.labels, &result.lambda,
                       &result.label_loss, &result.domain_loss, &result.label_correct,
                       &result.domain_correct, &result.label_hidden, &result.label_logits}) {
    *value = rewritten(*value);
  }
  result.graph = std::move(rewritten.graph);
  return result;
}

TEST(FuseHeadsTest, OneNodeIsLeftOfAllHeads) {
  for (const std::int64_t domain_logits : {1, 2}) {
    const Dann before = build_dann({.domain_logits = domain_logits});
    const Dann after = fused(before);
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
  Dann dann = fused(build_dann());
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
  Dann dann = fused(build_dann());
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
  const Dann dann = build_dann();
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
  Dann dann;
  Builder network(dann, Math::kF32);
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

// A loss that is read before the next one exists cannot wait for it.
TEST(FuseHeadsTest, LeavesALossThatIsReadBeforeTheLastOne) {
  Dann dann;
  Builder network(dann, Math::kF32);
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
  Dann d;
  const Value x = d.graph.external("x", {Dtype::kF32, {7}, kSourceRows});
  const Value lambda = d.graph.external("lambda", {Dtype::kF32, {}, {}});
  const Value labels = d.graph.external("labels", {Dtype::kI32, {}, kSourceRows});
  const Value features = ops::relu(d.graph, x);
  const Value sliced = ops::slice_rows(d.graph, features, kSourceRows);
  const Value seen = ops::grl(d.graph, sliced, lambda);
  const Value logits = Builder(d, Math::kF32).layer(seen, 4);
  const Value loss = weighed_softmax(d.graph, logits, labels);
  Rewritten fused;
  ASSERT_NO_THROW(fused = fuse_heads(d.graph, std::array{seen, loss}));
  EXPECT_EQ(fused.graph.count("heads"), 1);
  EXPECT_FALSE(fused(seen).none());
}

// How many are right is a constant, alone and in what fusion makes of it.
TEST(FuseHeadsTest, CountsHaveNoGradient) {
  Dann d = build_dann();
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
  Dann d;
  const Value x = d.graph.external("x", {Dtype::kF32, {7}, kSourceRows});
  const Value labels = d.graph.external("labels", {Dtype::kI32, {}, kSourceRows});
  const Value logits = Builder(d, Math::kF32).layer(x, 4);
  const Value correct = ops::count_correct(d.graph, logits, labels);
  const Value loss = weighed_softmax(d.graph, logits, labels, 0.0F, {}, correct);
  Rewritten fused;
  ASSERT_NO_THROW(fused = fuse_heads(d.graph, std::array{correct, loss}));
  EXPECT_EQ(fused.graph.count("heads"), 0);
}

// Where the batch is cut, the fused operation says that it cannot.
TEST(FuseHeadsTest, RefuseACutBatch) {
  Dann dann = fused(build_dann());
  GraphRunner runner(dann.graph, {40, 40}, 1, dann.parameters, Cpu{});
  runner.bind(dann.source, random_floats(40 * 7, 2));
  runner.bind(dann.target, random_floats(40 * 7, 3));
  runner.bind(dann.labels, random_labels(40, 4, 4));
  runner.bind(dann.lambda, std::vector<float>{0.5F});
  EXPECT_THROW(runner.run(), std::invalid_argument);
}

// Losses, counts, then the gradients of all parameters and of the pictures of both domains.
struct Results {
  std::vector<float> losses, counts;
  std::vector<std::vector<float>> gradients;

  bool operator==(const Results&) const = default;
};

Results run(const Context& context, Dann dann, float lambda, std::int64_t steps = 1) {
  std::vector<Value> wrt;
  for (std::int32_t id = 0; id < dann.graph.num_values(); ++id) {
    if (dann.graph.info({id}).kind == ValueKind::kParameter) wrt.push_back({id});
  }
  const std::array<Value, 2> losses{dann.label_loss, dann.domain_loss};
  const std::vector<Value> gradients = gradients_of(dann.graph, losses, wrt);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    dann.graph.mark_gradient(gradients[i], static_cast<std::int32_t>(i));
  }
  GraphRunner runner(dann.graph, {kSource, kTarget}, 1, dann.parameters, context);
  runner.set_weights(random_floats(runner.blocks().weights.bytes() / 4, /*seed=*/1));
  runner.bind(dann.source, random_floats(kSource * 7, 2));
  runner.bind(dann.target, random_floats(kTarget * 7, 3));
  runner.bind(dann.labels, random_labels(kSource, 4, 4));
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
  for (const Options& options :
       {Options{}, Options{.domain_logits = 2}, Options{.lambda_weighs_the_loss = true},
        Options{.over = ops::Over::kRows}, Options{.over = ops::Over::kNothing}}) {
    for (const float lambda : {0.0F, 0.5F}) {
      const Dann dann = build_dann(options);
      const Results want = run(this->ctx(), dann, lambda);
      const Results got = run(this->ctx(), fused(dann), lambda);
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
    const Dann dann = build_dann({.math = math});
    const Results want = run(this->ctx(), dann, 0.5F);
    const Results got = run(this->ctx(), fused(dann), 0.5F);
    expect_near(got.losses, want.losses, 2e-2);
    EXPECT_LT(relative_distance(got, want), 0.1);
  }
}

TYPED_TEST(FusedHeadsTest, RepeatBitForBit) {
  const Dann dann = fused(build_dann());
  const Results once = run(this->ctx(), dann, 0.5F);
  EXPECT_EQ(run(this->ctx(), dann, 0.5F), once);
  EXPECT_EQ(run(this->ctx(), dann, 0.5F, /*steps=*/19), once) << "recorded and replayed";
}

// Reversal is in what the extractor gets (its parameters are the first two), not in the domain
// classifier's own gradients.
TYPED_TEST(FusedHeadsTest, LambdaScalesTheFeaturesGradientAlone) {
  const Dann dann = fused(build_dann());
  const Results none = run(this->ctx(), dann, 0.0F), half = run(this->ctx(), dann, 0.5F);
  EXPECT_EQ(none.losses, half.losses);
  for (std::size_t i = 0; i < none.gradients.size(); ++i) {
    EXPECT_EQ(none.gradients[i] == half.gradients[i], i >= 2) << i;
  }
}

// Labels in memory for both heads, on features that are an input: nothing but the heads is left.
TYPED_TEST(FusedHeadsTest, AStepIsThreeLaunches) {
  if (!can_record(this->ctx())) GTEST_SKIP() << "nothing is recorded";
  Dann dann;
  Builder network(dann, Math::kF32);
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
  ASSERT_NE(runner.recorded_step(), nullptr);
  EXPECT_EQ(runner.recorded_step()->launches(), 3);
  for (const float gradient : runner.read(gradients[1])) EXPECT_TRUE(std::isfinite(gradient));
}

}  // namespace
}  // namespace gradflip
