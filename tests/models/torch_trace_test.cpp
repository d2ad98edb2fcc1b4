// The oracle against PyTorch: ten steps of the paper's network and recipe, from the same inputs and
// weights.

#include "tests/support/torch_trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/support/reference_dann.h"
#include "tests/support/test_data.h"
#include "tests/support/trace_inputs.h"

namespace gradflip {
namespace {

using reference::DannParameters;
using trace::Sample;
using trace::Trace;

// Both sides compute in double and differ by the order of their sums alone.
constexpr double kTolerance = 1e-10;

std::vector<double> network_input(const std::vector<std::uint8_t>& bytes) {
  std::vector<double> values;
  for (const std::uint8_t byte : bytes) values.push_back((byte - trace::kChannelMean) / 255.0);
  return values;
}

DannParameters initial_parameters() {
  DannParameters parameters;
  const trace::WeightBlocks& blocks = trace::paper_weight_blocks();
  for (std::uint32_t block = 0; block < blocks.size(); ++block) {
    const std::vector<float> values = trace::initial_weights(blocks, block);
    parameters[blocks[block].name].assign(values.begin(), values.end());
  }
  return parameters;
}

DannParameters difference(DannParameters a, const DannParameters& b) {
  for (auto& [name, values] : a) {
    for (std::size_t index = 0; index < values.size(); ++index) values[index] -= b.at(name)[index];
  }
  return a;
}

// The largest error of the sampled entries and of the norm, relative to the block's norm.
double deviation(const std::vector<double>& got, const Sample& want) {
  double squares = 0.0;
  for (const double value : got) squares += value * value;
  double worst = std::abs(std::sqrt(squares) - want.norm);
  for (std::size_t place = 0; place < want.indices.size(); ++place) {
    worst = std::max(worst, std::abs(got.at(want.indices[place]) - want.values[place]));
  }
  return worst / want.norm;
}

class TorchTraceTest : public testing::Test {
 protected:
  // What the oracle's weights have changed by after all steps; `reversal` multiplies the trace's
  // lambda.
  DannParameters changes(double reversal, std::vector<reference::DannLosses>* losses) const {
    DannParameters parameters = initial_parameters();
    DannParameters velocity;
    for (const trace::Step& step : trace_.steps) {
      reference::DannOptions options;
      options.lambda = reversal * step.lambda;
      const reference::DannStep got =
          reference::dann_step(reference::DannSizes{}, parameters, options, batch_);
      losses->push_back(got.losses);
      reference::dann_sgd({.momentum = 0.9}, step.learning_rate, got.gradients, &parameters,
                          &velocity);
    }
    return difference(std::move(parameters), initial_parameters());
  }

  const Trace trace_ = trace::read_torch_trace(test_data("torch_dann_trace.json"));
  const std::vector<std::int32_t> labels_ = trace::source_labels();
  const reference::DannBatch batch_ = {network_input(trace::source_images()),
                                       network_input(trace::target_images()),
                                       {labels_.begin(), labels_.end()}};
};

TEST_F(TorchTraceTest, BothSidesMakeTheSameWeights) {
  const DannParameters parameters = initial_parameters();
  ASSERT_EQ(trace_.initial_weights.size(), parameters.size());
  for (const auto& [name, want] : trace_.initial_weights) {
    const std::vector<double>& got = parameters.at(name);
    for (std::size_t place = 0; place < want.indices.size(); ++place) {
      EXPECT_EQ(got.at(want.indices[place]), want.values[place]) << name;
    }
    EXPECT_LE(deviation(got, want), kTolerance) << name;
  }
}

TEST_F(TorchTraceTest, FollowsThePapersSchedules) {
  ASSERT_EQ(trace_.steps.size(), static_cast<std::size_t>(trace::kSteps));
  for (int step = 0; step < trace::kSteps; ++step) {
    const double progress = static_cast<double>(step) / trace::kSteps;
    const trace::Step& want = trace_.steps[static_cast<std::size_t>(step)];
    EXPECT_NEAR(want.lambda, 2.0 / (1.0 + std::exp(-10.0 * progress)) - 1.0, 1e-15);
    EXPECT_NEAR(want.learning_rate, 0.01 / std::pow(1.0 + 10.0 * progress, 0.75), 1e-17);
  }
}

TEST_F(TorchTraceTest, OracleTakesTheSameSteps) {
  std::vector<reference::DannLosses> losses;
  const DannParameters got = changes(/*reversal=*/1.0, &losses);
  for (std::size_t step = 0; step < losses.size(); ++step) {
    EXPECT_NEAR(losses[step].label, trace_.steps[step].label_loss, kTolerance) << step;
    EXPECT_NEAR(losses[step].domain, trace_.steps[step].domain_loss, kTolerance) << step;
  }
  ASSERT_EQ(trace_.weight_changes.size(), got.size());
  for (const auto& [name, want] : trace_.weight_changes) {
    EXPECT_LE(deviation(got.at(name), want), kTolerance) << name;
  }
}

// Losses move by a percent in ten steps; the weights must still show what the reversal did.
TEST_F(TorchTraceTest, NoticesAMissingOrTurnedReversal) {
  for (const double reversal : {0.0, -1.0}) {
    std::vector<reference::DannLosses> losses;
    const DannParameters got = changes(reversal, &losses);
    for (const std::string name :
         {"feature_extractor.conv1.weight", "feature_extractor.conv2.weight"}) {
      EXPECT_GT(deviation(got.at(name), trace_.weight_changes.at(name)), 1e-2) << name;
    }
  }
}

}  // namespace
}  // namespace gradflip
