#include "models/training_graph.h"

#include <gtest/gtest.h>

#include <array>
#include <type_traits>
#include <vector>

#include "models/methods/dann_options.h"
#include "runtime/device.h"
#include "runtime/op.h"
#include "runtime/parameter_group.h"
#include "runtime/sequence.h"
#include "runtime/sharding.h"
#include "tests/support/backends.h"
#include "tests/support/tiny_domains.h"

namespace gradflip {
namespace {

const NetworkInput kInput = digits_input({60.0F, 60.0F, 60.0F});
const DatasetShape kSourceShape{100, {28, 28, 1}}, kTargetShape{90, {28, 28, 3}};

TrainingGraph build(const Recipe& recipe, const DatasetShape& target,
                    const TrainingGraphOptions& graph_options) {
  Parameters parameters;
  return build_training_graph(recipe, kInput, kSourceShape, 10, target, /*seed=*/1,
                              /*total_steps=*/10, parameters, graph_options);
}

TEST(TrainingGraphTest, FusionLeavesNoReversalAndNoDenseConvolutionGradient) {
  const Graph fused = build({}, kTargetShape, {.fuse = true}).graph;
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

TEST(TrainingGraphTest, TheUnfusedReferenceHasEverythingAlone) {
  const Graph graph = build({}, kTargetShape, {.fuse = false}).graph;
  EXPECT_EQ(graph.count("grl_backward"), 1);
  EXPECT_EQ(graph.count("conv2d"), 2);
  EXPECT_EQ(graph.count("conv_block"), 0);
  EXPECT_EQ(graph.count("linear_merge"), 0);
}

TEST(TrainingGraphTest, SourceOnlyHasNoDomainClassifier) {
  Parameters parameters;
  const TrainingGraph training =
      build_training_graph({}, kInput, kSourceShape, 10, {}, 1, 10, parameters);
  EXPECT_TRUE(training.lambda.none());
  EXPECT_TRUE(training.domain_loss.none());
  EXPECT_EQ(parameters.list().size(), 10U);
  for (const Parameter& parameter : parameters.list()) {
    EXPECT_FALSE(belongs_to(parameter.name, {"domain_classifier"})) << parameter.name;
  }
  EXPECT_EQ(training.graph.count("linear_merge"), 0);
}

TEST(TrainingGraphTest, ThePapersNetworkHasItsParameters) {
  Parameters parameters;
  build_training_graph({}, kInput, kSourceShape, 10, kTargetShape, 1, 10, parameters);
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

// The figure is counted by hand: performance research, 2026-11.
TEST(TrainingGraphTest, FusionComputesWhatTheUnfusedGraphComputes) {
  constexpr std::array<std::int64_t, 2> kRows{64, 64};
  const double unfused = flops_of(build({}, kTargetShape, {.fuse = false}).graph, kRows);
  EXPECT_NEAR(unfused, 128 * 21.00e6, 128 * 0.01e6);
  EXPECT_DOUBLE_EQ(flops_of(build({}, kTargetShape, {}).graph, kRows), unfused);
  EXPECT_DOUBLE_EQ(flops_of(build({}, kTargetShape, {.whole_batch = true}).graph, kRows), unfused);
}

struct Outcome {
  std::vector<float> weights;
  std::int64_t launches = 0;  // of a recorded step; 0 where nothing is recorded
};

// Three steps of this graph on fixed pictures.
Outcome three_steps(const Device& device, const Recipe& recipe,
                    const TrainingGraphOptions& graph_options) {
  const TinyDomains domains(device.context, kSourceShape.count, kTargetShape.count);
  const TrainingData data = domains.dann();
  Parameters parameters;
  const TrainingGraph training = build_training_graph(
      recipe, kInput, kSourceShape, 10, kTargetShape, 1, 10, parameters, graph_options);
  const TrainingMemory memory(device.context, parameters, 1);
  Workers workers(2);
  const std::array<std::int64_t, 2> rows{recipe.training.source_batch,
                                         recipe.training.target_batch};
  Executor executor(training.graph, parameters, memory.blocks(), device.context, workers, rows);
  memory.bind(executor, training.update);
  executor.bind(training.labelled_samples, data.labelled->samples());
  executor.bind(training.labels, data.labelled->labels());
  executor.bind(training.unlabelled_samples, data.unlabelled->samples());
  const InputMemory input_memory(device.context, kInput);
  input_memory.bind(executor, training.input);
  const Buffer records(device.context, graph_options.record_capacity * 5 * 4);
  if (!training.records.none()) executor.bind(training.records, records.data());
  Sequence sequence(device.context);
  sequence.append(executor, {rows.begin(), rows.end()});
  sequence.run(3);
  Outcome outcome{std::vector<float>(static_cast<std::size_t>(parameters.flat_size()))};
  copy_to_host(device.context, outcome.weights.data(), memory.blocks().weights.data(),
               memory.blocks().weights.bytes());
  if (const Recording* step = sequence.recorded_step()) outcome.launches = step->launches();
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
    const std::vector<float> fused =
        three_steps(device, recipe, {.whole_batch = batch_cut(device.context).whole()}).weights;
    const std::vector<float> unfused = three_steps(device, recipe, {.fuse = false}).weights;
    ASSERT_EQ(fused.size(), unfused.size());
    for (std::size_t i = 0; i < fused.size(); ++i) ASSERT_NEAR(fused[i], unfused[i], 1e-5) << i;
  }
}

// The kernels that research calls F1 F2, H1 H2 H3, B1 B2 B3 and U: two convolution blocks, all
// heads, their gradients, the blocks' gradients, and the update.
TYPED_TEST(FusedTrainingTest, AStepIsNineLaunches) {
  const Device device = select_device(Backend<TypeParam>::kName);
  Recipe recipe;
  recipe.training.source_batch = 2;
  recipe.training.target_batch = 1;
  const bool whole = batch_cut(device.context).whole();
  for (const std::int64_t domain_logits : {1, 2}) {
    recipe.of<DannOptions>().domain_logits = domain_logits;
    const Outcome outcome =
        three_steps(device, recipe, {.whole_batch = whole, .record_capacity = 4});
    EXPECT_EQ(outcome.launches, whole ? 9 : 0);
  }
}

}  // namespace
}  // namespace gradflip
