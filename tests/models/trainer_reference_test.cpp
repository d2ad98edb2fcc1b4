// Ten training steps of the real trainer beside the independent double-precision implementation.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "kernels/sampling.h"
#include "kernels/schedule.h"
#include "models/dann.h"
#include "models/trainer.h"
#include "tests/support/reference_dann.h"
#include "tests/support/tiny_domains.h"
#include "tests/support/torch_trace.h"
#include "tests/support/trace_inputs.h"

namespace gradflip {
namespace {

using reference::DannBatch;
using reference::DannOptions;
using reference::DannParameters;
using reference::DannReduction;
using reference::DannSgd;
using reference::DannSizes;
using reference::DannStep;

constexpr std::int64_t kSteps = 10;
constexpr std::uint64_t kSeed = 11;

DannOptions reference_options(const TrainingOptions& options) {
  DannOptions reference;
  reference.lambda_scales_classifier = options.lambda_applies_to == LambdaAppliesTo::kBoth;
  reference.domain_weight = options.domain_weight;
  reference.label_smoothing = options.label_smoothing;
  reference.domain_reduction =
      options.domain_reduction == DomainReduction::kSumOfMeans ? DannReduction::kSumOfMeans
      : options.domain_reduction == DomainReduction::kHalf     ? DannReduction::kHalf
                                                               : DannReduction::kMean;
  return reference;
}

// Appends picture `index` as the network sees it: three channels, x/255 minus the mean.
void append_picture(const Images& images, std::int64_t index, const std::vector<float>& means,
                    std::vector<double>& out) {
  const std::uint8_t* bytes = images.pixels.data() + index * images.bytes_per_image();
  for (std::int64_t pixel = 0; pixel < images.pixels_per_image(); ++pixel) {
    for (std::int64_t c = 0; c < 3; ++c) {
      const std::int64_t stored = images.channels == 1 ? pixel : pixel * 3 + c;
      out.push_back((bytes[stored] - static_cast<double>(means[static_cast<std::size_t>(c)])) /
                    255.0);
    }
  }
}

class TrainerReferenceTest : public testing::Test {
 protected:
  DannBatch batch_of(const TrainingOptions& options, std::int64_t step) const {
    DannBatch batch;
    const auto each = [&](std::uint32_t domain, std::int64_t size, std::int64_t rows,
                          auto&& visit) {
      const Sampler sampler{.seed = kSeed, .stream = domain, .size = size, .batch = rows};
      for (std::int64_t row = 0; row < rows; ++row) visit(sample_index(sampler, step * rows + row));
    };
    each(kSource, source_.images.count, options.source_batch, [&](std::int64_t index) {
      append_picture(source_.images, index, means_, batch.source_images);
      batch.source_labels.push_back(source_.labels[static_cast<std::size_t>(index)]);
    });
    each(kTarget, target_.images.count, options.target_batch, [&](std::int64_t index) {
      append_picture(target_.images, index, means_, batch.target_images);
    });
    return batch;
  }

  // Losses of every step to 1e-5 relative, and the weights at the end: rounding may flip a pool
  // winner or two on the way, which a bias of a few elements shows most.
  void expect_same_training(TrainingOptions options) const {
    options.steps = kSteps;
    Trainer trainer(options, {&source_, &target_, means_}, kSeed, select_device("cpu"), 2);
    DannParameters parameters, velocity;
    for (const NamedTensor& tensor : trainer.parameters()) {
      parameters[tensor.name].assign(tensor.values.begin(), tensor.values.end());
    }
    DannOptions step_options = reference_options(options);
    for (std::int64_t step = 0; step < kSteps; ++step) {
      SCOPED_TRACE(step);
      step_options.lambda = schedule_at(lambda_schedule(options, kSteps), step);
      const DannStep want =
          reference::dann_step(DannSizes{}, parameters, step_options, batch_of(options, step));
      const StepReport got = trainer.run(1);
      EXPECT_NEAR(got.label_loss, want.losses.label, 1e-5 * want.losses.label);
      EXPECT_NEAR(got.domain_loss, want.losses.domain, 1e-5 * want.losses.domain);
      reference::dann_sgd({options.momentum, options.weight_decay},
                          schedule_at(learning_rate_schedule(options, kSteps), step),
                          want.gradients, &parameters, &velocity);
    }
    for (const NamedTensor& tensor : trainer.parameters()) {
      SCOPED_TRACE(tensor.name);
      const std::vector<double>& want = parameters.at(tensor.name);
      double error = 0.0, size = 0.0;
      for (std::size_t i = 0; i < want.size(); ++i) {
        error += std::pow(tensor.values[i] - want[i], 2);
        size += want[i] * want[i];
      }
      EXPECT_TRUE(std::sqrt(error) <= 2e-4 * std::sqrt(size)) << std::sqrt(error / size);
    }
  }

  LabelledImages source_ = tiny_domain(20, 1, 3);
  UnlabelledImages target_ = tiny_domain(15, 3, 4).without_labels();
  std::vector<float> means_{60.0F, 70.0F, 80.0F};
};

TrainingOptions unequal_batches() {
  TrainingOptions options;
  options.source_batch = 9;
  options.target_batch = 7;
  return options;
}

TEST_F(TrainerReferenceTest, FollowsThePapersRecipe) { expect_same_training(unequal_batches()); }

TEST_F(TrainerReferenceTest, FollowsDeepDa) {
  TrainingOptions options = preset("deepda");
  options.source_batch = options.target_batch = 8;
  expect_same_training(options);
}

TEST_F(TrainerReferenceTest, FollowsLambdaOnBothPartsNeverSquared) {
  TrainingOptions options = unequal_batches();
  options.lambda_applies_to = LambdaAppliesTo::kBoth;
  options.lambda_schedule = LambdaSchedule::kConstant;
  options.lambda = 0.5;
  options.domain_weight = 3.0;
  expect_same_training(options);
}

TEST_F(TrainerReferenceTest, FollowsTheMeanReductionWithUnequalBatches) {
  TrainingOptions options = unequal_batches();
  options.domain_reduction = DomainReduction::kMean;
  options.lambda_schedule = LambdaSchedule::kConstant;
  options.label_smoothing = 0.1;
  options.weight_decay = 1e-3;
  expect_same_training(options);
}

// The same ten steps as PyTorch took them, from the same pictures and weights.
TEST(TrainerTorchTest, FollowsTheTraceOfPyTorch) {
  const auto images = [](std::vector<std::uint8_t> pixels) {
    return Images{static_cast<std::int64_t>(trace::kImagesPerDomain), 28, 28, 3, std::move(pixels)};
  };
  const LabelledImages source{images(trace::source_images()), trace::source_labels(), 10};
  const UnlabelledImages target{images(trace::target_images())};
  TrainingOptions options;
  options.source_batch = options.target_batch = trace::kImagesPerDomain;
  options.steps = trace::kSteps;
  const auto mean = static_cast<float>(trace::kChannelMean);
  Trainer trainer(options, {&source, &target, {mean, mean, mean}}, /*seed=*/1, select_device("cpu"),
                  2);
  std::vector<NamedTensor> weights;
  for (std::uint32_t block = 0; block < trace::weight_blocks().size(); ++block) {
    const trace::WeightBlock& description = trace::weight_blocks()[block];
    weights.push_back({description.name, description.shape, trace::initial_weights(block)});
  }
  trainer.set_parameters(weights);

  const trace::Trace want =
      trace::read_torch_trace(std::filesystem::path(GRADFLIP_TEST_DATA) / "torch_dann_trace.json");
  ASSERT_EQ(want.steps.size(), static_cast<std::size_t>(trace::kSteps));
  for (const trace::Step& step : want.steps) {
    const StepReport got = trainer.run(1);
    EXPECT_NEAR(got.lambda, step.lambda, 1e-6);
    EXPECT_NEAR(got.learning_rate, step.learning_rate, 1e-8);
    EXPECT_NEAR(got.label_loss, step.label_loss, 1e-5 * step.label_loss);
    EXPECT_NEAR(got.domain_loss, step.domain_loss, 1e-5 * step.domain_loss);
  }
  for (const NamedTensor& tensor : trainer.parameters()) {
    SCOPED_TRACE(tensor.name);
    const trace::Sample& change = want.weight_changes.at(tensor.name);
    const std::vector<NamedTensor>::const_iterator initial =
        std::find_if(weights.begin(), weights.end(),
                     [&](const NamedTensor& other) { return other.name == tensor.name; });
    for (std::size_t i = 0; i < change.indices.size(); ++i) {
      const std::size_t index = change.indices[i];
      EXPECT_NEAR(tensor.values[index] - initial->values[index], change.values[i],
                  1e-3 * change.norm);
    }
  }
}

TEST_F(TrainerReferenceTest, FollowsLambdaZero) {
  TrainingOptions options = unequal_batches();
  options.lambda_schedule = LambdaSchedule::kConstant;
  options.lambda = 0.0;
  expect_same_training(options);
}

}  // namespace
}  // namespace gradflip
