#include "models/training_graph.h"

#include <gtest/gtest.h>

namespace gradflip {
namespace {

constexpr DatasetShape kSourceShape{100, 28, 28, 1}, kTargetShape{90, 28, 28, 3};

TrainingGraph build(const TrainingOptions& options, const DatasetShape& target, bool fuse) {
  Parameters parameters;
  return build_training_graph(options, kSourceShape, 10, target, /*seed=*/1, /*total_steps=*/10,
                              parameters, {.fuse = fuse});
}

TEST(TrainingGraphTest, FusionLeavesNoReversalAndNoDenseConvolutionGradient) {
  const Graph fused = build({}, kTargetShape, true).graph;
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
  const Graph graph = build({}, kTargetShape, false).graph;
  EXPECT_EQ(graph.count("grl_backward"), 1);
  EXPECT_EQ(graph.count("conv2d"), 2);
  EXPECT_EQ(graph.count("conv_block"), 0);
  EXPECT_EQ(graph.count("linear_merge"), 0);
}

TEST(TrainingGraphTest, SourceOnlyHasNoDomainClassifier) {
  Parameters parameters;
  const TrainingGraph training = build_training_graph({}, kSourceShape, 10, {}, 1, 10, parameters);
  EXPECT_TRUE(training.lambda.none());
  EXPECT_TRUE(training.domain_loss.none());
  EXPECT_EQ(parameters.list().size(), 10U);
  EXPECT_THROW(parameters.range("domain_classifier"), std::invalid_argument);
  EXPECT_EQ(training.graph.count("linear_merge"), 0);
}

TEST(TrainingGraphTest, ThePapersNetworkHasItsParameters) {
  Parameters parameters;
  build_training_graph({}, kSourceShape, 10, kTargetShape, 1, 10, parameters);
  EXPECT_EQ(parameters.size(), 205'891);
  EXPECT_LT(parameters.range("feature_extractor").end, parameters.range("domain_classifier").begin);
}

}  // namespace
}  // namespace gradflip
