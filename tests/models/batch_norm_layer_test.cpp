// What batch normalisation and dropout declare and append, by how the network is applied.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/data/domain_data.h"
#include "models/layers.h"
#include "runtime/ops/concat_rows.h"

namespace gradflip {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

// A layer on rows of some domains, as a training step applies it.
struct NormStep {
  Parameters parameters;
  Graph graph;
  Pass pass;
  std::vector<Running> kept;

  explicit NormStep(BatchStatistics statistics, bool own_scale = false) {
    pass.statistics = statistics;
    pass.own_scale = own_scale;
    pass.training = {.step = graph.external("step", {Dtype::kI64, {}, {}}), .rows = {8, 4}};
  }

  void apply(const std::vector<Rows>& each) {
    NetworkBuilder network(graph, parameters, pass);
    for (const Rows rows : each) batch_norm(network, "bn", on(rows));
    kept = network.kept();
  }

  // Of one segment, which external values have.
  Value on(Rows rows) {
    std::vector<Value> parts;
    for (const Rows one : {kSourceRows, kTargetRows}) {
      if (rows.contains(one)) parts.push_back(graph.external("x", {Dtype::kF32, {3}, one}));
    }
    return parts.size() == 1 ? parts[0] : ops::concat_rows(graph, parts);
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const Parameter& each : parameters.list()) all.push_back(each.name);
    return all;
  }
};

TEST(BatchNormLayerTest, JointStatisticsAreOfAllRows) {
  NormStep step(BatchStatistics::kJoint);
  step.apply({kBothRows});
  EXPECT_THAT(step.names(),
              ElementsAre("bn.running_mean", "bn.running_var", "bn.weight", "bn.bias"));
  ASSERT_EQ(step.kept.size(), 1U);
  EXPECT_EQ(step.kept[0].groups, ops::SegmentGroups{kBothRows});
}

TEST(BatchNormLayerTest, SeparateStatisticsAreKeptOneAfterTheOther) {
  NormStep step(BatchStatistics::kSeparate);
  step.apply({kBothRows});
  EXPECT_THAT(step.names(),
              ElementsAre("bn.running_mean", "bn.running_var", "bn.weight", "bn.bias"));
  ASSERT_EQ(step.kept.size(), 2U);
  EXPECT_EQ(step.kept[0].groups, (ops::SegmentGroups{kSourceRows, kTargetRows}));
  EXPECT_EQ(step.kept[0].group, 0U);
  EXPECT_EQ(step.kept[1].group, 1U);
  EXPECT_EQ(step.kept[0].mean, step.kept[1].mean);
}

TEST(BatchNormLayerTest, StatisticsPerDomainHaveNamesOfTheirOwn) {
  NormStep shared(BatchStatistics::kPerDomain);
  shared.apply({kBothRows});
  EXPECT_THAT(shared.names(), ElementsAre("bn.source.running_mean", "bn.source.running_var",
                                          "bn.target.running_mean", "bn.target.running_var",
                                          "bn.weight", "bn.bias"));
  NormStep own(BatchStatistics::kPerDomain, /*own_scale=*/true);
  own.apply({kBothRows});
  EXPECT_THAT(own.names(),
              ElementsAre("bn.source.running_mean", "bn.source.running_var",
                          "bn.target.running_mean", "bn.target.running_var", "bn.source.weight",
                          "bn.source.bias", "bn.target.weight", "bn.target.bias"));
}

bool reads(const Graph& graph, const std::string& name) {
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    if (graph.info({id}).name == name) return true;
  }
  return false;
}

TEST(BatchNormLayerTest, AnEvaluationReadsWhatItsDomainHas) {
  NormStep step(BatchStatistics::kPerDomain);
  step.apply({kBothRows});
  for (const int domain : {kSource, kTarget}) {
    Graph graph;
    Pass pass;
    pass.statistics = BatchStatistics::kPerDomain;
    pass.domains.fill(domain);
    const Parameters& declared = step.parameters;
    NetworkBuilder network(graph, declared, pass);
    batch_norm(network, "bn", graph.external("x", {Dtype::kF32, {3}, kSourceRows}));
    EXPECT_EQ(reads(graph, "bn.source.running_mean"), domain == kSource);
    EXPECT_EQ(reads(graph, "bn.target.running_mean"), domain == kTarget);
    EXPECT_EQ(graph.count("row_moments"), 0);
  }
}

// As of a label predictor that has seen the source alone.
TEST(BatchNormLayerTest, ADomainThatALayerHasNotSeenTakesTheOthers) {
  NormStep step(BatchStatistics::kPerDomain);
  step.apply({kSourceRows});
  Graph graph;
  Pass pass;
  pass.statistics = BatchStatistics::kPerDomain;
  pass.domains.fill(kTarget);
  const Parameters& declared = step.parameters;
  NetworkBuilder network(graph, declared, pass);
  EXPECT_NO_THROW(batch_norm(network, "bn", graph.external("x", {Dtype::kF32, {3}, kSourceRows})));
  EXPECT_TRUE(reads(graph, "bn.source.running_mean"));
}

TEST(BatchNormLayerTest, RunningStatisticsAreNotTrained) {
  NormStep step(BatchStatistics::kJoint);
  step.apply({kBothRows});
  for (const Parameter& each : step.parameters.list()) {
    EXPECT_EQ(each.trained, each.name.find("running") == std::string::npos) << each.name;
  }
}

TEST(BatchNormLayerTest, NamesTheLayerThatDoesNotFit) {
  NormStep step(BatchStatistics::kJoint);
  NetworkBuilder network(step.graph, step.parameters, step.pass);
  const Value number = step.graph.external("x", {Dtype::kF32, {}, kSourceRows});
  EXPECT_THAT([&] { batch_norm(network, "feature_extractor.bn1", number); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("feature_extractor.bn1: ")));
  const Value x = step.on(kSourceRows);
  EXPECT_THROW(batch_norm(network, "bn", x, {.momentum = 0.0}), std::invalid_argument);
  EXPECT_THROW(batch_norm(network, "bn", x, {.epsilon = -1.0}), std::invalid_argument);
}

TEST(DropoutLayerTest, DropsInTrainingAndNowhereElse) {
  NormStep step(BatchStatistics::kJoint);
  NetworkBuilder training(step.graph, step.parameters, step.pass);
  const Value x = step.on(kSourceRows);
  EXPECT_NE(dropout(training, "drop1", x, 0.5), x);
  EXPECT_EQ(dropout(training, "drop1", x, 0.0), x);
  NetworkBuilder evaluation(step.graph, step.parameters, {});
  EXPECT_EQ(dropout(evaluation, "drop1", x, 0.5), x);
  EXPECT_EQ(channel_dropout(evaluation, "drop1", x, 0.5), x);
  EXPECT_THAT([&] { dropout(training, "drop1", x, 1.0); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("drop1: ")));
}

}  // namespace
}  // namespace gradflip
