// Data of other sizes than digits: pictures of any extents and channels, many classes, and rows of
// numbers, through networks of the test's own and through the trainer.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <type_traits>
#include <vector>

#include "models/data/device_data.h"
#include "models/methods/dann.h"
#include "models/methods/source_only.h"
#include "models/networks/mlp.h"
#include "models/networks/paper_mnist.h"
#include "models/trainer.h"
#include "tests/support/device_test.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

template <typename Ctx>
class AnyDataTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  // The mean label loss of the first, and of the last `compared` steps of a run without adaptation.
  std::array<double, 2> first_and_last(const Network& network, const LabelledDeviceData& data,
                                       std::int64_t batch, std::int64_t steps,
                                       std::int64_t compared) const {
    Recipe recipe;
    recipe.training.source_batch = batch;
    recipe.training.steps = steps;
    recipe.training.learning_rate = 0.05;
    recipe.training.learning_rate_schedule = LearningRateSchedule::kConstant;
    Trainer trainer(source_only(), network, recipe, {&data, nullptr}, /*seed=*/1, device_, 2);
    const double first = trainer.run(compared).find("label_loss").value();
    trainer.run(steps - 2 * compared);
    return {first, trainer.run(compared).find("label_loss").value()};
  }

  static constexpr bool kOnCpu = std::is_same_v<Ctx, Cpu>;  // the emulated GPU takes its time
};
TYPED_TEST_SUITE(AnyDataTest, Backends, BackendNames);

// The toy of Ganin et al. (JMLR 2016, section 5.1): two moons in the plane.
TYPED_TEST(AnyDataTest, TwoMoonsAreLearnedFromRowsOfTwoNumbers) {
  constexpr std::int64_t kPoints = 300;
  const std::vector<float> random = random_floats(2 * kPoints, 1);
  std::vector<float> points;
  std::vector<std::int32_t> moons;
  for (std::size_t i = 0; i < kPoints; ++i) {
    const float angle = 1.5707963F * (1.0F + random[2 * i]), noise = 0.1F * random[2 * i + 1];
    const bool upper = i % 2 == 0;
    points.push_back(upper ? std::cos(angle) - 0.5F : 0.5F - std::cos(angle));
    points.push_back((upper ? std::sin(angle) : 0.5F - std::sin(angle)) - 0.25F + noise);
    moons.push_back(upper ? 0 : 1);
  }
  const LabelledDeviceData data(this->device_.context, rows_of(points, {2}), moons, 2, "moons");
  const auto [first, last] = this->first_and_last(mlp(row_input(2)), data, /*batch=*/50,
                                                  this->kOnCpu ? 310 : 70, /*compared=*/5);
  EXPECT_LT(last, (this->kOnCpu ? 0.3 : 0.7) * first);
}

// The class is the channel that is bright; where it stands differs.
TYPED_TEST(AnyDataTest, PicturesOfFiveChannelsThatAreNotSquareAreLearned) {
  constexpr std::int64_t kCount = 40, kHeight = 17, kWidth = 9, kChannels = 5;
  LabelledImages images{
      {kCount, kHeight, kWidth, kChannels, random_bytes(kCount * kHeight * kWidth * kChannels, 1)},
      random_labels(kCount, kChannels, 2),
      kChannels};
  for (std::int64_t i = 0; i < std::ssize(images.images.pixels); ++i) {
    const std::int64_t n = i / images.images.bytes_per_image();
    std::uint8_t& pixel = images.images.pixels[static_cast<std::size_t>(i)];
    pixel = static_cast<std::uint8_t>(
        i % kChannels == images.labels[static_cast<std::size_t>(n)] ? 128 + pixel / 2 : pixel / 2);
  }
  const LabelledDeviceData data(this->device_.context, images, "bands");
  const std::vector<float> scales{1 / 50.0F, 1 / 60.0F, 1 / 70.0F, 1 / 80.0F, 1 / 90.0F};
  const std::vector<float> means = channel_means({&images.images}, kChannels);
  const Network network{.name = "bands",
                        .input = picture_input(kHeight, kWidth, means, scales),
                        .feature_extractor =
                            [](NetworkBuilder& builder, Value x) {
                              return conv_block(builder, "feature_extractor.conv1", x,
                                                {.filters = 6, .kernel = 3, .pad = 1});
                            },
                        .label_predictor =
                            [](NetworkBuilder& builder, Value features, std::int64_t num_classes) {
                              return linear(builder, "label_predictor.fc1", features, num_classes);
                            },
                        .domain_classifier = {}};
  const auto [first, last] =
      this->first_and_last(network, data, /*batch=*/10, this->kOnCpu ? 63 : 13, /*compared=*/1);
  EXPECT_LT(last, 0.5 * first);
}

// The paper's network on pictures of another size, of many classes: as DomainNet has them.
TYPED_TEST(AnyDataTest, TakesTwoStepsWith345ClassesOnPicturesOfAnotherSize) {
  constexpr std::int64_t kCount = 345, kHeight = 20, kWidth = 24, kChannels = 4;
  LabelledImages source{
      {kCount, kHeight, kWidth, 1, random_bytes(kCount * kHeight * kWidth, 1)}, {}, 345};
  for (std::int32_t label = 0; label < kCount; ++label) source.labels.push_back(label);
  const UnlabelledImages target{
      {kCount, kHeight, kWidth, kChannels, random_bytes(kCount * kHeight * kWidth * kChannels, 2)}};
  const LabelledDeviceData source_data(this->device_.context, source, "source");
  const DeviceData target_data(this->device_.context, target, "target");
  const NetworkInput input = picture_input(kHeight, kWidth, std::vector<float>(kChannels, 128.0F),
                                           std::vector<float>(kChannels, 1.0F / 128.0F));
  Recipe recipe;
  TrainingOptions& options = recipe.training;
  options.source_batch = options.target_batch = this->kOnCpu ? 33 : 3;
  options.steps = this->kOnCpu ? 40 : 2;
  options.learning_rate_schedule = LearningRateSchedule::kConstant;
  options.learning_rate = 0.05;
  Trainer trainer(dann(), paper_mnist(input), recipe, {&source_data, &target_data}, /*seed=*/1,
                  this->device_, 2);
  EXPECT_NEAR(trainer.run(1).find("label_loss").value(), std::log(345.0), 0.2);  // chance
  const StepReport later = trainer.run(options.steps - 1);
  EXPECT_TRUE(std::isfinite(later.find("label_loss").value()) &&
              std::isfinite(later.find("domain_loss").value()));
  EXPECT_GE(trainer.evaluate(source_data), 0.0);
  std::int64_t classes = 0;
  for (const NamedTensor& tensor : trainer.parameters()) {
    if (tensor.name == "label_predictor.fc3.bias") classes = tensor.shape[0];
  }
  EXPECT_EQ(classes, 345);
}

}  // namespace
}  // namespace gradflip
