// The DANN's step as a graph: what fusion leaves of it, and that it computes the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <type_traits>
#include <vector>

#include "models/methods/dann.h"
#include "models/methods/dann_options.h"
#include "models/methods/source_only.h"
#include "models/stage_run.h"
#include "runtime/compile.h"
#include "runtime/device.h"
#include "runtime/op.h"
#include "runtime/parameter_group.h"
#include "runtime/sharding.h"
#include "runtime/unfused.h"
#include "tests/support/backends.h"
#include "tests/support/tiny_domains.h"
#include "tests/support/written_step.h"

namespace gradflip {
namespace {

const DatasetShape kSourceShape{100, {28, 28, 1}}, kTargetShape{90, {28, 28, 3}};

std::vector<WrittenUpdate> write_step(const Method& method, const Recipe& recipe,
                                      Parameters& parameters) {
  return written_step(method, recipe, kSourceShape, kTargetShape, /*total_steps=*/10, parameters);
}

Graph build_step(const Method& method, const CompileOptions& options) {
  Parameters parameters;
  const std::vector<WrittenUpdate> updates = write_step(method, {}, parameters);
  return compile(updates.front().draft, parameters, options).graph;
}

TEST(DannStepTest, FusionLeavesNoReversalAndNoDenseConvolutionGradient) {
  const Graph fused = build_step(dann(), {});
  for (const char* gone :
       {"grl", "grl_backward", "place_rows", "add", "conv2d", "max_pool2d", "max_pool2d_backward",
        "conv2d_backward_data", "conv2d_backward_filter"}) {
    EXPECT_EQ(fused.count(gone), 0) << gone;
  }
  EXPECT_EQ(fused.count("conv_block"), 2);
  EXPECT_EQ(fused.count("conv_block_backward_filter"), 2);
  EXPECT_EQ(fused.count("conv_block_backward_data"), 1);  // none for the pictures
  EXPECT_EQ(fused.count("linear_merge"), 1);
  EXPECT_EQ(fused.count("sgd"), 1);
}

// As on a GPU, where batches stay whole.
std::vector<std::string> left_of(const Recipe& recipe, std::size_t& nodes) {
  Parameters parameters;
  const std::vector<WrittenUpdate> updates = write_step(dann(), recipe, parameters);
  const Graph graph =
      compile(updates.front().draft, parameters, {.whole_batch = true, .record_capacity = 4}).graph;
  nodes = graph.nodes().size();
  std::vector<std::string> lines;
  for (const Unfused& left : unfused(graph, true)) lines.push_back(left.what + ": " + left.why);
  return lines;
}

TEST(DannStepTest, SmoothedDomainsOfOneLogitCostNoLaunch) {
  std::size_t plain = 0, smoothed = 0;
  Recipe recipe;
  EXPECT_THAT(left_of(recipe, plain), testing::IsEmpty());
  recipe.of<DannOptions>().domain_label_smoothing = 0.1;
  EXPECT_THAT(left_of(recipe, smoothed), testing::IsEmpty());
  EXPECT_EQ(smoothed, plain);
}

// A second loss is computed for show, which the kernels of heads do not.
TEST(DannStepTest, SmoothedDomainsOfTwoLogitsSayWhatTheyCost) {
  std::size_t plain = 0, smoothed = 0;
  Recipe recipe;
  recipe.of<DannOptions>().domain_logits = 2;
  EXPECT_THAT(left_of(recipe, plain), testing::IsEmpty());
  recipe.of<DannOptions>().domain_label_smoothing = 0.1;
  EXPECT_THAT(left_of(recipe, smoothed),
              testing::Contains(testing::HasSubstr("the logits are read by more than the loss")));
  EXPECT_GT(smoothed, plain);
}

TEST(DannStepTest, TheUnfusedReferenceHasEverythingAlone) {
  const Graph graph = build_step(dann(), {.fuse = false});
  EXPECT_EQ(graph.count("grl_backward"), 1);
  EXPECT_EQ(graph.count("conv2d"), 2);
  EXPECT_EQ(graph.count("conv_block"), 0);
  EXPECT_EQ(graph.count("linear_merge"), 0);
}

TEST(DannStepTest, SourceOnlyHasNoDomainClassifier) {
  Parameters parameters;
  const std::vector<WrittenUpdate> updates = write_step(source_only(), {}, parameters);
  EXPECT_TRUE(updates.front().inputs.target_samples.none());
  EXPECT_EQ(updates.front().rows, (std::vector<std::int64_t>{64, 0}));
  EXPECT_EQ(parameters.list().size(), 10U);
  for (const Parameter& parameter : parameters.list()) {
    EXPECT_FALSE(belongs_to(parameter.name, {"domain_classifier"})) << parameter.name;
  }
  EXPECT_EQ(build_step(source_only(), {}).count("linear_merge"), 0);
}

TEST(DannStepTest, ThePapersNetworkHasItsParameters) {
  Parameters parameters;
  write_step(dann(), {}, parameters);
  EXPECT_EQ(parameters.size(), 205'891);
  EXPECT_TRUE(belongs_to(parameters.list().front().name, {"feature_extractor"}));
  EXPECT_TRUE(belongs_to(parameters.list().back().name, {"domain_classifier"}));
}

// What the nodes' products cost in all, on these rows.
double flops_of(const Graph& graph, const std::array<std::int64_t, 2>& rows) {
  const auto views_of = [&](const std::vector<Value>& values) {
    std::vector<TensorView> views;
    for (const Value value : values) {
      const ValueType& type = graph.type(value);
      std::int64_t count = type.rows.none() ? 1 : 0;
      for (int segment = 0; segment < 2; ++segment) {
        if (type.rows.contains_segment(segment)) count += rows[static_cast<std::size_t>(segment)];
      }
      views.push_back({nullptr, type.dtype, count, type.shape});
    }
    return views;
  };
  double flops = 0.0;
  for (const Node& node : graph.nodes()) {
    flops += node.op->cost(views_of(node.inputs), views_of(node.outputs)).flops;
  }
  return flops;
}

// The figure is counted by hand, in 2026-11: 21.00 million operations for each picture.
TEST(DannStepTest, FusionComputesWhatTheUnfusedGraphComputes) {
  constexpr std::array<std::int64_t, 2> kRows{64, 64};
  const double unfused = flops_of(build_step(dann(), {.fuse = false}), kRows);
  EXPECT_NEAR(unfused, 128 * 21.00e6, 128 * 0.01e6);
  EXPECT_DOUBLE_EQ(flops_of(build_step(dann(), {}), kRows), unfused);
  EXPECT_DOUBLE_EQ(flops_of(build_step(dann(), {.whole_batch = true}), kRows), unfused);
}

struct Outcome {
  std::vector<float> weights;
  std::int64_t launches = 0;  // of a recorded step; 0 where nothing is recorded
};

// Three steps on fixed pictures.
Outcome three_steps(const Device& device, const Recipe& recipe, const StageOptions& options) {
  const TinyDomains domains(device.context, kSourceShape.count, kTargetShape.count);
  Parameters parameters;
  std::vector<WrittenUpdate> updates = write_step(dann(), recipe, parameters);
  const State state(device.context, parameters, 1, std::array{updated_group(updates[0].draft)});
  Workers workers(2);
  const InputMemory input(device.context, paper_network().input);
  const TrainingData data = domains.data();
  StageRun run(std::move(updates),
               {parameters, state, device.context, workers, input, *data.source, data.target},
               options);
  run.run(3);
  Outcome outcome{std::vector<float>(static_cast<std::size_t>(parameters.flat_size()))};
  const Buffer& weights = state.parameter_blocks().weights;
  copy_to_host(device.context, outcome.weights.data(), weights.data(), weights.bytes());
  if (const Recording* step = run.sequence().recorded_step()) outcome.launches = step->launches();
  return outcome;
}

template <typename Ctx>
class FusedTrainingTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(FusedTrainingTest, Backends, BackendNames);

TYPED_TEST(FusedTrainingTest, EqualsTheUnfusedGraph) {
  const Device device = select_device(Backend<TypeParam>::kName);
  Recipe recipe;
  constexpr bool kOnCpu = std::is_same_v<TypeParam, Cpu>;  // the emulated GPU takes its time
  recipe.training.source_batch = kOnCpu ? 33 : 2;
  recipe.training.target_batch = kOnCpu ? 30 : 1;
  recipe.of<DannOptions>().lambda_schedule = LambdaSchedule::kConstant;
  for (const std::int64_t domain_logits : {1, 2}) {
    recipe.of<DannOptions>().domain_logits = domain_logits;
    const std::vector<float> fused = three_steps(device, recipe, {}).weights;
    const std::vector<float> unfused = three_steps(device, recipe, {.fuse = false}).weights;
    ASSERT_EQ(fused.size(), unfused.size());
    for (std::size_t i = 0; i < fused.size(); ++i) ASSERT_NEAR(fused[i], unfused[i], 1e-5) << i;
  }
}

// Two convolution blocks, the heads in three, four for the blocks' gradients and the heads', and
// the update.
TYPED_TEST(FusedTrainingTest, AStepIsNineLaunches) {
  const Device device = select_device(Backend<TypeParam>::kName);
  Recipe recipe;
  recipe.training.source_batch = 2;
  recipe.training.target_batch = 1;
  const bool whole = batch_cut(device.context).whole();
  for (const std::int64_t domain_logits : {1, 2}) {
    recipe.of<DannOptions>().domain_logits = domain_logits;
    const Outcome outcome = three_steps(device, recipe, {.record_capacity = 4});
    EXPECT_EQ(outcome.launches, whole ? 9 : 0);
  }
}

}  // namespace
}  // namespace gradflip
