// What the options of our own networks for digits change in them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/network_builder.h"
#include "models/network_list.h"
#include "runtime/ops/dropout.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::SizeIs;

// Of a training step's graph, as it is applied.
std::vector<ops::DropoutAttributes> dropouts_of(const std::string& name,
                                                const NetworkOptions& options) {
  const std::vector<float> channels(3, 0.0F);
  const Network network =
      gradflip::network(name, picture_input(28, 28, channels, channels), options);
  Parameters parameters;
  Graph graph;
  NetworkBuilder builder(graph, parameters,
                         {.training = Pass::Training{
                              .step = graph.external("step", {Dtype::kI64, {}, {}}), .rows = {4}}});
  network.feature_extractor(builder,
                            graph.external("x", {Dtype::kF32, {28, 28, 3}, segment_rows(0)}));
  std::vector<ops::DropoutAttributes> found;
  for (const Node& node : graph.nodes()) {
    if (const auto* dropout = attributes_of<ops::DropoutAttributes>(*node.op)) {
      found.push_back(*dropout);
    }
  }
  return found;
}

class DigitsNetworkTest : public testing::TestWithParam<const char*> {};

TEST_P(DigitsNetworkTest, DropsValuesBehindEachPoolAndChannelsOfTheFeatures) {
  using Attributes = ops::DropoutAttributes;
  const auto values_only = dropouts_of(GetParam(), {.dropout = 0.25});
  EXPECT_THAT(values_only,
              AllOf(SizeIs(testing::Ge(2U)), Each(AllOf(Field(&Attributes::probability, 0.25),
                                                        Field(&Attributes::channels, false)))));
  auto with_channels = dropouts_of(GetParam(), {.dropout = 0.25, .channel_dropout = 0.5});
  ASSERT_THAT(with_channels, SizeIs(values_only.size() + 1));
  EXPECT_TRUE(with_channels.back().channels);
  EXPECT_EQ(with_channels.back().probability, 0.5);
  EXPECT_THAT(dropouts_of(GetParam(), {.dropout = 0.0}), SizeIs(0));
}
INSTANTIATE_TEST_SUITE_P(Networks, DigitsNetworkTest,
                         testing::Values("digits-m", "digits-m-plus", "digits-l"));

TEST(NormalisesByBatchesTest, IsAskedOfTheNetworkItself) {
  std::vector<std::string> normalise;
  const std::vector<float> channels(3, 0.0F);
  for (const char* name :
       {"paper-mnist", "tf-dann", "jvanvugt", "fungtion", "digits-m", "digits-l", "mlp"}) {
    const Network each = network(name, picture_input(28, 28, channels, channels));
    if (normalises_by_batches(each)) normalise.push_back(name);
  }
  EXPECT_THAT(normalise, ElementsAre("fungtion", "digits-m", "digits-l"));
}

}  // namespace
}  // namespace gradflip
