#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>

#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "runtime/op.h"
#include "runtime/ops/check_finite.h"
#include "runtime/ops/conv_block.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/record.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/update.h"
#include "runtime/sharding.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

// A step that trains one conv_block, whose gradients are watched, and with a linear layer behind
// it, whose gradient nobody watches.
struct Step {
  Graph graph;
  Parameters parameters;
  Value x, step, ring;
  ops::UpdateValues update;

  std::vector<Value> values() const {
    return {x,    update.learning_rate, ring, update.weights, update.gradients, update.slots[0],
            step, update.guard};
  }
};

// What differs between the steps of these tests.
struct Variant {
  bool with_linear = false;
  ops::OptimizerRule rule = SgdOptions{.momentum = 0.5F};
  bool with_kinds = false, with_scale = false, with_two_updates = false;
};

Step build_step(const Variant& variant = {}) {
  Step s;
  Graph& graph = s.graph;
  s.parameters.add("filter", {3, 3, 2, 4}, FileLayout::same({3, 3, 2, 4}), Uniform{1.0F});
  s.parameters.add("bias", {4}, FileLayout::same({4}), Uniform{1.0F});
  s.x = graph.external("x", {Dtype::kF32, {6, 6, 2}, segment_rows(0)});
  std::vector<Value> wrt{graph.parameter(0, "filter", {3, 3, 2, 4}),
                         graph.parameter(1, "bias", {4})};
  Value y = ops::conv_block(graph, s.x, wrt[0], wrt[1], {});
  if (variant.with_linear) {
    s.parameters.add("weight", {3, 16}, FileLayout::same({3, 16}), Uniform{1.0F});
    wrt.push_back(graph.parameter(2, "weight", {3, 16}));
    y = ops::linear(graph, y, wrt[2]);
  }
  const Value loss = sum_all(graph, ops::multiply(graph, y, y), 0.5F);
  const std::vector<Value> gradients = gradients_of(graph, std::span(&loss, 1), wrt);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    graph.mark_gradient(gradients[i], static_cast<std::int32_t>(i));
  }
  s.update = ops::declare_update(graph, variant.rule, s.parameters.flat_size(), variant.with_kinds);
  s.step = graph.external("step", {Dtype::kI64, {}, {}});
  const Value rate = graph.external("rate", {Dtype::kF32, {}, {}});
  s.update.learning_rate = rate;
  if (variant.with_scale) s.update.gradient_scale = rate;
  s.ring = graph.external("ring", {Dtype::kF32, {4, 2}, {}});
  ops::record(graph, s.ring, s.step, std::array<Value, 2>{loss, rate});
  ops::check_finite(graph, s.update.guard, s.step, std::array<Value, 2>{loss, s.update.gradients},
                    gradients);
  ops::update(graph, s.update, variant.rule, gradients);
  if (variant.with_two_updates) ops::update(graph, s.update, variant.rule, gradients);
  ops::advance_step(graph, s.step);
  return s;
}

TEST(FuseTrainingUpdateTest, MakesOneNodeOfTheEnding) {
  const Step s = build_step();
  const Rewritten fused = fuse_training_update(s.graph, s.values());
  EXPECT_EQ(fused.graph.count("training_update"), 1);
  for (const char* gone : {"record", "check_finite", "sgd", "advance_step"}) {
    EXPECT_EQ(fused.graph.count(gone), 0) << gone;
  }
  EXPECT_EQ(fused.graph.nodes().size(), s.graph.nodes().size() - 3);
}

TEST(FuseTrainingUpdateTest, KeepsTheCheckOfGradientsThatNobodyWatches) {
  const Step s = build_step({.with_linear = true});
  const Rewritten fused = fuse_training_update(s.graph, s.values());
  EXPECT_EQ(fused.graph.count("training_update"), 0);
  EXPECT_EQ(fused.graph.nodes().size(), s.graph.nodes().size());
}

TEST(FuseTrainingUpdateTest, KeepsEveryUpdateThatIsNotPlainSgdOfAllWeights) {
  const Variant variants[] = {{.rule = SgdOptions{.momentum = 0.5F, .nesterov = true}},
                              {.rule = AdamOptions{}},
                              {.with_kinds = true},
                              {.with_scale = true},
                              {.with_two_updates = true}};
  for (const Variant& variant : variants) {
    const Step s = build_step(variant);
    const Rewritten fused = fuse_training_update(s.graph, s.values());
    EXPECT_EQ(fused.graph.count("training_update"), 0);
    EXPECT_EQ(fused.graph.nodes().size(), s.graph.nodes().size());
  }
}

// Several steps, the pictures of one of them with a value that is not finite.
struct Outcome {
  std::vector<float> weights, ring;
  FiniteGuard guard;
  std::int64_t launches = 0;
};

Outcome run_steps(const Context& context, bool fuse, float odd_pixel) {
  const Step s = build_step();
  // fuse_conv_blocks finds nothing to do here.
  const Rewritten rewritten =
      fuse ? fuse_training_update(s.graph, s.values()) : fuse_conv_blocks(s.graph, s.values());
  GraphRunner runner(rewritten.graph, {5}, 1, s.parameters, context);
  const std::int64_t size = s.parameters.flat_size();
  runner.set_weights(random_floats(size, 1));
  std::vector<float> x = random_floats(5 * 72, 2);
  x[17] = odd_pixel;
  runner.bind(rewritten(s.x), x);
  runner.bind(rewritten(s.update.learning_rate), std::vector<float>{0.01F});
  Buffer& ring = runner.bind(rewritten(s.ring), std::vector<float>(8, -1.0F));
  Buffer& guard = runner.bind(rewritten(s.update.guard), std::vector<FiniteGuard>(1));
  runner.bind(rewritten(s.step), std::vector<std::int64_t>{0});
  runner.bind(rewritten(s.update.slots[0]), std::vector<float>(static_cast<std::size_t>(size)));
  runner.executor().bind(rewritten(s.update.weights), runner.blocks().weights.data());
  runner.executor().bind(rewritten(s.update.gradients), runner.blocks().gradients.data());
  runner.run(3);
  Outcome outcome{std::vector<float>(static_cast<std::size_t>(size)), std::vector<float>(8), {}};
  copy_to_host(context, outcome.weights.data(), runner.blocks().weights.data(), size * 4);
  copy_to_host(context, outcome.ring.data(), ring.data(), ring.bytes());
  copy_to_host(context, &outcome.guard, guard.data(), guard.bytes());
  const Recording* step = runner.recorded_step();
  outcome.launches = step == nullptr ? 0 : step->launches();
  return outcome;
}

template <typename Ctx>
class FusedTrainingUpdateTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(FusedTrainingUpdateTest, Backends, BackendNames);

TYPED_TEST(FusedTrainingUpdateTest, EqualsTheUnfusedGraphBitForBit) {
  for (const float pixel : {0.5F, std::numeric_limits<float>::infinity()}) {
    const Outcome fused = run_steps(this->ctx(), true, pixel);
    const Outcome apart = run_steps(this->ctx(), false, pixel);
    EXPECT_EQ(fused.weights, apart.weights);
    EXPECT_EQ(0, std::memcmp(fused.ring.data(), apart.ring.data(), 8 * sizeof(float)));
    EXPECT_EQ(fused.guard.frozen, apart.guard.frozen);
    EXPECT_EQ(fused.guard.frozen, pixel == 0.5F ? 0 : 1);
    EXPECT_EQ(fused.guard.quantity, apart.guard.quantity);
    EXPECT_EQ(fused.guard.index, apart.guard.index);
    EXPECT_EQ(fused.guard.step, apart.guard.step);
    // Where launches are recorded: two checks, the record and the counter go; the rest is the same.
    if (apart.launches > 0) {
      EXPECT_EQ(fused.launches, apart.launches - 4);
    }
  }
}

}  // namespace
}  // namespace gradflip
