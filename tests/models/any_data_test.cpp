// Data of other sizes than digits: pictures of any extents and channels, many classes, and rows of
// numbers, through networks of the test's own and through the trainer.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "models/data/device_data.h"
#include "models/data/input_values.h"
#include "models/layers.h"
#include "models/trainer.h"
#include "models/training_step.h"
#include "runtime/ops/gather.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/sample.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/softmax_cross_entropy.h"
#include "tests/support/backends.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

// A classifier of the test's own on one labelled set; the graph is as the network wrote it.
class Classifier {
 public:
  using Network = std::function<Value(NetworkBuilder&, Value)>;  // samples -> logits

  Classifier(const Context& context, const LabelledDeviceData& data, const NetworkInput& input,
             const Network& network, std::int64_t batch)
      : rows_{batch}, workers_(2), input_memory_(context, input) {
    require_takes(input, data);
    const Value step = graph_.external("step", {Dtype::kI64, {}, {}});
    const Value samples = graph_.external("samples", data.shape().type());
    const Value labels = graph_.external("labels", {Dtype::kI32, {data.count()}, {}});
    const InputValues norms = declare_input(graph_, input);
    const std::array<InputSource, 1> sources{
        {{samples, ops::sample_indices(graph_, step, 0,
                                       {.seed = 1, .size = data.count(), .batch = batch})}}};
    NetworkBuilder builder(graph_, parameters_);
    const Value logits = network(builder, gather_input(graph_, input, norms, sources));
    const Value losses = ops::softmax_cross_entropy(
        graph_, logits, ops::gather_labels(graph_, labels, sources[0].indices));
    loss_ = ops::sum_rows(graph_, losses);
    const Term term{"loss", ops::mean_rows(graph_, losses)};
    training_ =
        append_training_step(graph_, step, std::span(&term, 1), parameters_, {.momentum = 0.9F},
                             ops::evaluate_schedule(graph_, step, {.start = 0.05}));
    memory_.emplace(context, parameters_, /*seed=*/1);
    executor_.emplace(graph_, parameters_, memory_->blocks(), context, workers_, rows_);
    memory_->bind(*executor_, training_);
    input_memory_.bind(*executor_, norms);
    executor_->bind(samples, data.samples());
    executor_->bind(labels, data.labels());
  }

  // The mean loss of so many steps.
  double train(std::int64_t steps) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < steps; ++i) {
      executor_->run(rows_);
      sum += executor_->read_scalar(loss_);
    }
    return sum / static_cast<double>(steps * rows_[0]);
  }

 private:
  std::array<std::int64_t, 1> rows_;
  Workers workers_;
  InputMemory input_memory_;
  Graph graph_;
  Parameters parameters_;
  Value loss_;
  TrainingStep training_;
  std::optional<TrainingMemory> memory_;
  std::optional<Executor> executor_;
};

template <typename Ctx>
class AnyDataTest : public BackendTest<Ctx> {
 protected:
  void SetUp() override {
    BackendTest<Ctx>::SetUp();
    if (this->IsSkipped() || this->HasFatalFailure()) return;
    device_ = select_device(Backend<Ctx>::kName);
  }

  static constexpr bool kOnCpu = std::is_same_v<Ctx, Cpu>;  // the emulated GPU takes its time
  Device device_;
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
  Classifier classifier(
      this->device_.context, data, row_input(2),
      [](NetworkBuilder& network, Value x) {
        const Value hidden = ops::relu(network.graph(), linear(network, "hidden", x, 15));
        return linear(network, "logits", hidden, 2);
      },
      /*batch=*/50);
  const double first = classifier.train(5);
  classifier.train(this->kOnCpu ? 300 : 60);
  EXPECT_LT(classifier.train(5), (this->kOnCpu ? 0.3 : 0.7) * first);
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
  Classifier classifier(
      this->device_.context, data, picture_input(kHeight, kWidth, means, scales),
      [](NetworkBuilder& network, Value x) {
        const Value h = conv_block(network, "conv", x, {.filters = 6, .kernel = 3, .pad = 1});
        return linear(network, "logits", h, kChannels);
      },
      /*batch=*/10);
  const double first = classifier.train(1);
  classifier.train(this->kOnCpu ? 60 : 10);
  EXPECT_LT(classifier.train(2), 0.5 * first);
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
  const TrainingData data{&source_data, &target_data, input};
  Trainer trainer(recipe, data, /*seed=*/1, this->device_, 2);
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
