// The oracle is itself held to central differences of its own losses, on a network small enough to
// try every parameter.

#include "tests/support/reference_dann.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>

#include "tests/support/gradcheck.h"
#include "tests/support/trace_inputs.h"

namespace gradflip {
namespace {

using reference::dann_losses;
using reference::dann_sgd;
using reference::dann_step;
using reference::DannBatch;
using reference::DannLosses;
using reference::DannParameters;
using reference::DannReduction;
using reference::DannSizes;

// Height and width differ, and 13 leaves a row that the first pool drops.
constexpr DannSizes kTiny = {.height = 13,
                             .width = 16,
                             .channels = 2,
                             .filter_size = 3,
                             .conv1_filters = 3,
                             .conv2_filters = 4,
                             .label_hidden1 = 6,
                             .label_hidden2 = 5,
                             .num_classes = 3,
                             .domain_hidden = 7};

// Uniform in [-1, 1).
std::vector<double> random_values(std::size_t size, std::uint32_t stream) {
  std::vector<double> values(size);
  for (std::uint32_t index = 0; index < size; ++index) {
    values[index] = trace::hash(stream, index) * 0x1p-31 - 1.0;
  }
  return values;
}

DannParameters tiny_parameters() {
  DannParameters parameters = reference::zero_dann_parameters(kTiny);
  std::uint32_t stream = 1;
  for (auto& [name, values] : parameters) {
    values = random_values(values.size(), stream++);
    for (double& value : values) value *= 0.5;
  }
  return parameters;
}

DannBatch tiny_batch() {
  const std::size_t image_size = kTiny.height * kTiny.width * kTiny.channels;
  return {.source_images = random_values(3 * image_size, 50),
          .target_images = random_values(2 * image_size, 51),
          .source_labels = {2, 0, 1}};
}

enum class Loss { kLabel, kDomainObjective };

DannParameters numeric_gradients(const reference::DannOptions& options, Loss which) {
  DannParameters parameters = tiny_parameters();
  const DannBatch batch = tiny_batch();
  DannParameters gradients;
  for (auto& [name, values] : parameters) {
    const std::vector<double> before = values;
    const VectorFunction loss = [&, &block = values](const std::vector<double>& changed) {
      block = changed;
      const DannLosses losses = dann_losses(kTiny, parameters, options, batch);
      return std::vector<double>{which == Loss::kLabel ? losses.label : losses.domain_objective};
    };
    gradients[name] = central_differences(loss, before, {1.0});
    values = before;
  }
  return gradients;
}

// What the definition of a DANN makes of the plain derivatives of the two losses.
DannParameters expected_gradients(const reference::DannOptions& options,
                                  const DannParameters& dlabel, const DannParameters& ddomain) {
  const double w = options.domain_weight;
  DannParameters expected;
  for (const auto& [name, label] : dlabel) {
    double domain_factor = 0.0;
    if (name.starts_with("feature_extractor.")) {
      domain_factor = -options.lambda * w;
    } else if (name.starts_with("domain_classifier.")) {
      domain_factor = options.lambda_scales_classifier ? options.lambda * w : w;
    }
    const std::vector<double>& domain = ddomain.at(name);
    for (std::size_t index = 0; index < label.size(); ++index) {
      expected[name].push_back(label[index] + domain_factor * domain[index]);
    }
  }
  return expected;
}

TEST(ReferenceDannTest, GradientsMatchCentralDifferences) {
  for (const auto reduction :
       {DannReduction::kSumOfMeans, DannReduction::kHalf, DannReduction::kMean}) {
    for (const double label_smoothing : {0.0, 0.1}) {
      reference::DannOptions options;
      options.domain_reduction = reduction;
      options.label_smoothing = label_smoothing;
      const DannParameters dlabel = numeric_gradients(options, Loss::kLabel);
      const DannParameters ddomain = numeric_gradients(options, Loss::kDomainObjective);
      for (const double lambda : {0.0, 0.5, 1.0}) {
        for (const bool both : {false, true}) {
          for (const double domain_weight : {1.0, 0.3}) {
            SCOPED_TRACE(testing::Message()
                         << "reduction " << static_cast<int>(reduction) << ", smoothing "
                         << label_smoothing << ", lambda " << lambda << ", both " << both
                         << ", weight " << domain_weight);
            options.lambda = lambda;
            options.lambda_scales_classifier = both;
            options.domain_weight = domain_weight;
            const DannParameters got =
                dann_step(kTiny, tiny_parameters(), options, tiny_batch()).gradients;
            for (const auto& [name, expected] : expected_gradients(options, dlabel, ddomain)) {
              EXPECT_TRUE(gradients_match(got.at(name), expected)) << name;
            }
          }
        }
      }
    }
  }
}

// Without this, the test above could pass on losses that no parameter reaches.
TEST(ReferenceDannTest, EveryBlockHasAGradient) {
  const DannParameters gradients =
      dann_step(kTiny, tiny_parameters(), reference::DannOptions{}, tiny_batch()).gradients;
  EXPECT_EQ(gradients.size(), 14U);
  for (const auto& [name, values] : gradients) {
    double largest = 0.0;
    for (const double value : values) largest = std::max(largest, std::abs(value));
    EXPECT_GT(largest, 1e-4) << name;
  }
}

TEST(ReferenceDannTest, ZeroWeightsGuess) {
  reference::DannOptions options;
  for (const auto& [reduction, objective] :
       {std::pair{DannReduction::kSumOfMeans, 2.0}, std::pair{DannReduction::kHalf, 1.0},
        std::pair{DannReduction::kMean, 1.0}}) {
    options.domain_reduction = reduction;
    const DannLosses losses =
        dann_losses(kTiny, reference::zero_dann_parameters(kTiny), options, tiny_batch());
    EXPECT_NEAR(losses.label, std::log(3.0), 1e-12);
    EXPECT_NEAR(losses.domain, std::log(2.0), 1e-12);
    EXPECT_NEAR(losses.domain_objective, objective * std::log(2.0), 1e-12);
  }
}

TEST(ReferenceDannTest, LossesOfAStepAreTheLosses) {
  const reference::DannOptions options;
  const DannLosses alone = dann_losses(kTiny, tiny_parameters(), options, tiny_batch());
  const DannLosses step = dann_step(kTiny, tiny_parameters(), options, tiny_batch()).losses;
  EXPECT_EQ(alone.label, step.label);
  EXPECT_EQ(alone.domain, step.domain);
  EXPECT_EQ(alone.domain_objective, step.domain_objective);
}

TEST(ReferenceDannTest, SgdFollowsItsDefinition) {
  DannParameters parameters = {{"w", {1.0, -2.0}}};
  DannParameters velocity;
  const reference::DannSgd options = {.momentum = 0.5, .weight_decay = 0.25};
  dann_sgd(options, 0.5, {{"w", {3.0, 0.5}}}, &parameters, &velocity);
  EXPECT_EQ(velocity.at("w"), (std::vector<double>{3.25, 0.0}));
  EXPECT_EQ(parameters.at("w"), (std::vector<double>{-0.625, -2.0}));
  dann_sgd(options, 0.25, {{"w", {0.0, 0.0}}}, &parameters, &velocity);
  EXPECT_EQ(velocity.at("w"), (std::vector<double>{1.46875, -0.5}));
  EXPECT_EQ(parameters.at("w"), (std::vector<double>{-0.9921875, -1.875}));
}

TEST(ReferenceDannTest, RefusesABatchOfAnotherSize) {
  DannBatch batch = tiny_batch();
  batch.target_images.pop_back();
  EXPECT_THROW(dann_losses(kTiny, tiny_parameters(), reference::DannOptions{}, batch),
               std::invalid_argument);
  batch.target_images.clear();
  EXPECT_THROW(dann_losses(kTiny, tiny_parameters(), reference::DannOptions{}, batch),
               std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
