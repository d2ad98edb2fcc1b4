// Six training steps of the real trainer beside the independent double-precision implementation.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <type_traits>

#include "kernels/sampling.h"
#include "kernels/schedule.h"
#include "models/methods/dann.h"
#include "models/methods/dann_options.h"
#include "models/networks/paper_mnist.h"
#include "models/presets.h"
#include "models/trainer.h"
#include "tests/support/backends.h"
#include "tests/support/device_test.h"
#include "tests/support/math_modes.h"
#include "tests/support/reference_dann.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_domains.h"
#include "tests/support/torch_trace.h"
#include "tests/support/trace_inputs.h"

namespace gradflip {
namespace {

using reference::DannBatch;
using reference::DannParameters;
using reference::DannReduction;
using reference::DannSgd;
using reference::DannSizes;
using reference::DannStep;

constexpr std::int64_t kSteps = 6;
constexpr std::uint64_t kSeed = 11;

reference::DannOptions reference_options(const Recipe& recipe) {
  const auto& options = recipe.of<DannOptions>();
  reference::DannOptions reference;
  reference.lambda_scales_classifier = options.lambda_applies_to == LambdaAppliesTo::kBoth;
  reference.domain_weight = options.domain_weight;
  reference.label_smoothing = recipe.training.label_smoothing;
  reference.domain_label_smoothing = options.domain_label_smoothing;
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

template <typename Ctx>
class TrainerReferenceTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  void prepare() override { domains_.emplace(device_.context, 20, 15, /*seed=*/3, means_); }

  // The emulated GPU takes its time.
  static Recipe unequal_batches(const std::string& name = "paper") {
    Recipe recipe = preset(name);
    recipe.training.source_batch = std::is_same_v<Ctx, Cpu> ? 9 : 3;
    recipe.training.target_batch = std::is_same_v<Ctx, Cpu> ? 7 : 2;
    return recipe;
  }

  DannBatch batch_of(const TrainingOptions& options, std::int64_t step) const {
    DannBatch batch;
    const auto each = [&](std::uint32_t domain, std::int64_t size, std::int64_t rows,
                          auto&& visit) {
      const Sampler sampler{.seed = kSeed, .stream = domain, .size = size, .batch = rows};
      for (std::int64_t row = 0; row < rows; ++row) visit(sample_index(sampler, step * rows + row));
    };
    const LabelledImages& source = domains_->source_images();
    const Images& target = domains_->target_images().images;
    each(kSource, source.images.count, options.source_batch, [&](std::int64_t index) {
      append_picture(source.images, index, means_, batch.source_images);
      batch.source_labels.push_back(source.labels[static_cast<std::size_t>(index)]);
    });
    each(kTarget, target.count, options.target_batch,
         [&](std::int64_t index) { append_picture(target, index, means_, batch.target_images); });
    return batch;
  }

  // How far losses and weights may be from the reference, relative. Rounding may flip a pool winner
  // or two on the way, which a bias of a few elements shows most.
  struct Bounds {
    double loss = 1e-5, weights = 2e-4;
  };

  void expect_same_training(Recipe recipe, const Bounds& bounds = {},
                            std::int64_t steps = kSteps) const {
    TrainingOptions& options = recipe.training;
    options.steps = steps;
    Trainer trainer(dann(), domains_->network(), recipe, domains_->data(), kSeed, device_, 2);
    DannParameters parameters, velocity;
    for (const NamedTensor& tensor : trainer.parameters()) {
      parameters[tensor.name].assign(tensor.values.begin(), tensor.values.end());
    }
    reference::DannOptions step_options = reference_options(recipe);
    for (std::int64_t step = 0; step < steps; ++step) {
      SCOPED_TRACE(step);
      step_options.lambda = schedule_at(lambda_schedule(recipe.of<DannOptions>(), steps), step);
      const DannStep want =
          reference::dann_step(DannSizes{}, parameters, step_options, batch_of(options, step));
      const StepReport got = trainer.run(1);
      EXPECT_NEAR(got.find("label_loss").value(), want.losses.label,
                  bounds.loss * want.losses.label);
      EXPECT_NEAR(got.find("domain_loss").value(), want.losses.domain,
                  bounds.loss * want.losses.domain);
      reference::dann_sgd({options.momentum, options.weight_decay},
                          schedule_at(learning_rate_schedule(options, steps), step), want.gradients,
                          &parameters, &velocity);
    }
    for (const NamedTensor& tensor : trainer.parameters()) {
      SCOPED_TRACE(tensor.name);
      const std::vector<double>& want = parameters.at(tensor.name);
      double error = 0.0, size = 0.0;
      for (std::size_t i = 0; i < want.size(); ++i) {
        error += std::pow(tensor.values[i] - want[i], 2);
        size += want[i] * want[i];
      }
      EXPECT_TRUE(std::sqrt(error) <= bounds.weights * std::sqrt(size)) << std::sqrt(error / size);
    }
  }

  std::vector<float> means_{60.0F, 70.0F, 80.0F};
  std::optional<TinyDomains> domains_;
};

TYPED_TEST_SUITE(TrainerReferenceTest, Backends, BackendNames);

TYPED_TEST(TrainerReferenceTest, FollowsThePapersRecipe) {
  this->expect_same_training(this->unequal_batches());
}

// Modes that round operands: on a backend without them these are two more runs in f32. One step
// rounds by 2^-11 or 2^-8; six steps of training carry that on.
TYPED_TEST(TrainerReferenceTest, StaysCloseInTf32) {
  Recipe recipe = this->unequal_batches();
  recipe.training.precision = Math::kTf32;
  this->expect_same_training(recipe, {.loss = 1e-3, .weights = 5e-3});
}

// As close as f32.
TYPED_TEST(TrainerReferenceTest, FollowsInTf32x3) {
  Recipe recipe = this->unequal_batches();
  recipe.training.precision = Math::kTf32x3;
  this->expect_same_training(recipe);
}

TYPED_TEST(TrainerReferenceTest, StaysCloseInBf16) {
  Recipe recipe = this->unequal_batches();
  recipe.training.precision = Math::kBf16;
  this->expect_same_training(recipe, {.loss = 1e-2, .weights = 4e-2});
}

// The first steps without reversal (lambda is 0) and with it: for flavours of the emulated GPU that
// have no time for six.
TYPED_TEST(TrainerReferenceTest, TakesTwoStepsInEveryMode) {
  Recipe recipe = this->unequal_batches();
  for (const Math math : kMaths) {
    SCOPED_TRACE(static_cast<int>(math));
    recipe.training.precision = math;
    const double rounding = math == Math::kTf32 ? 100 : math == Math::kBf16 ? 1000 : 1;
    this->expect_same_training(recipe, {.loss = 1e-5 * rounding, .weights = 1e-5 * rounding}, 2);
  }
}

TYPED_TEST(TrainerReferenceTest, FollowsDeepDa) {
  this->expect_same_training(this->unequal_batches("deepda"));
}

TYPED_TEST(TrainerReferenceTest, FollowsLambdaOnBothPartsNeverSquared) {
  Recipe recipe = this->unequal_batches();
  auto& options = recipe.of<DannOptions>();
  options.lambda_applies_to = LambdaAppliesTo::kBoth;
  options.lambda_schedule = LambdaSchedule::kConstant;
  options.lambda = 0.5;
  options.domain_weight = 3.0;
  this->expect_same_training(recipe);
}

// What is shown is the loss of the domains as they are.
TYPED_TEST(TrainerReferenceTest, FollowsSmoothedDomains) {
  Recipe recipe = this->unequal_batches();
  recipe.of<DannOptions>().domain_label_smoothing = 0.3;
  this->expect_same_training(recipe);
}

TYPED_TEST(TrainerReferenceTest, FollowsTheMeanReductionWithUnequalBatches) {
  Recipe recipe = this->unequal_batches();
  auto& options = recipe.of<DannOptions>();
  options.domain_reduction = DomainReduction::kMean;
  options.lambda_schedule = LambdaSchedule::kConstant;
  recipe.training.label_smoothing = 0.1;
  recipe.training.weight_decay = 1e-3;
  this->expect_same_training(recipe);
}

// The same ten steps as PyTorch took them, from the same pictures and weights.
template <typename Ctx>
class TrainerTorchTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(TrainerTorchTest, Backends, BackendNames);

TYPED_TEST(TrainerTorchTest, FollowsTheTraceOfPyTorch) {
  const auto images = [](std::vector<std::uint8_t> pixels) {
    return Images{static_cast<std::int64_t>(trace::kImagesPerDomain), 28, 28, 3, std::move(pixels)};
  };
  const LabelledImages source{images(trace::source_images()), trace::source_labels(), 10};
  const UnlabelledImages target{images(trace::target_images())};
  Recipe recipe;
  recipe.training.source_batch = recipe.training.target_batch = trace::kImagesPerDomain;
  recipe.training.steps = trace::kSteps;
  const auto mean = static_cast<float>(trace::kChannelMean);
  const Device device = select_device(Backend<TypeParam>::kName);
  const LabelledDeviceData source_data(device.context, source, "source");
  const DeviceData target_data(device.context, target, "target");
  Trainer trainer(dann(), paper_mnist(digits_input({mean, mean, mean})), recipe,
                  {&source_data, &target_data}, /*seed=*/1, device, 2);
  std::vector<NamedTensor> weights;
  const trace::WeightBlocks& blocks = trace::paper_weight_blocks();
  for (std::uint32_t block = 0; block < blocks.size(); ++block) {
    weights.push_back(
        {blocks[block].name, blocks[block].shape, trace::initial_weights(blocks, block)});
  }
  trainer.set_parameters(weights);

  const trace::Trace want = trace::read_torch_trace(test_data("torch_dann_trace.json"));
  ASSERT_EQ(want.steps.size(), static_cast<std::size_t>(trace::kSteps));
  for (const trace::Step& step : want.steps) {
    const StepReport got = trainer.run(1);
    EXPECT_NEAR(got.find("lambda").value(), step.lambda, 1e-6);
    EXPECT_NEAR(got.find("learning_rate").value(), step.learning_rate, 1e-8);
    EXPECT_NEAR(got.find("label_loss").value(), step.label_loss, 1e-5 * step.label_loss);
    EXPECT_NEAR(got.find("domain_loss").value(), step.domain_loss, 1e-5 * step.domain_loss);
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

TYPED_TEST(TrainerReferenceTest, FollowsLambdaZero) {
  Recipe recipe = this->unequal_batches();
  auto& options = recipe.of<DannOptions>();
  options.lambda_schedule = LambdaSchedule::kConstant;
  options.lambda = 0.0;
  this->expect_same_training(recipe);
}

}  // namespace
}  // namespace gradflip
