#include "models/layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

const ValueType kRowsOfThree{Dtype::kF32, {3}, segment_rows(0)};

TEST(NetworkBuilderTest, AddsNoParameterToThoseThatHaveTheirMemory) {
  Parameters parameters;
  Graph training;
  NetworkBuilder declaring(training, parameters);
  linear(declaring, "label_predictor", training.external("x", kRowsOfThree), 2);
  const Parameters& declared = parameters;
  Graph evaluation;
  NetworkBuilder reading(evaluation, declared);
  const Value x = evaluation.external("x", kRowsOfThree);
  EXPECT_NO_THROW(linear(reading, "label_predictor", x, 2));
  EXPECT_THAT([&] { linear(reading, "extra", x, 2); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("no parameter extra.weight")));
  EXPECT_THROW(linear(reading, "label_predictor", x, 5), std::invalid_argument);
  EXPECT_EQ(parameters.list().size(), 2U);
}

TEST(ConvBlockTest, NamesTheLayerThatDoesNotFit) {
  Parameters parameters;
  Graph graph;
  NetworkBuilder network(graph, parameters);
  const Value x = graph.external("x", {Dtype::kF32, {4, 4, 1}, segment_rows(0)});
  EXPECT_THAT([&] { conv_block(network, "feature_extractor.conv3", x, {.filters = 8}); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("feature_extractor.conv3: conv2d: ")));
}

TEST(NetworkBuilderTest, ReadsTheBankThatItIsFor) {
  Parameters parameters;
  Graph graph;
  NetworkBuilder trained(graph, parameters), copy(graph, parameters, {.bank = 1});
  const Value x = graph.external("x", kRowsOfThree);
  linear(trained, "fc1", x, 2);
  linear(copy, "fc1", x, 2);
  EXPECT_EQ(parameters.list().size(), 2U);
  int of_bank[2] = {0, 0};
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const ValueInfo& info = graph.info({id});
    if (info.kind == ValueKind::kParameter) ++of_bank[info.bank];
  }
  EXPECT_EQ(of_bank[0], 2);
  EXPECT_EQ(of_bank[1], 2);
}

}  // namespace
}  // namespace gradflip
