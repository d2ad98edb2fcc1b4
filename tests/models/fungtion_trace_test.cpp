// The preset `fungtion` against PyTorch: ten steps with batch normalisation by domains, dropout and
// Adam, then an evaluation by running statistics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/methods/dann.h"
#include "models/networks/fungtion.h"
#include "models/networks/paper_mnist.h"
#include "models/presets.h"
#include "models/trainer.h"
#include "tests/support/device_test.h"
#include "tests/support/evaluated_logits.h"
#include "tests/support/test_data.h"
#include "tests/support/torch_trace.h"
#include "tests/support/trace_inputs.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::Gt;
using testing::Lt;

// As scripts/make_fungtion_trace.py has them. A set is as large as its batch: every step takes all
// of it, whatever the seed, which then decides over masks alone.
constexpr std::uint64_t kTraceSeed = 6;
constexpr std::array<std::int64_t, 2> kTraceBatches{8, 6};
constexpr std::array<const char*, 2> kTraceDomains{"source", "target"};

// Relative, as the deviations below. Nearest to it come normalisations' scales, 6.5e-5: they change
// by thousandths in all, and a float of about 1 is rounded by up to 6e-8 in each step.
constexpr double kTraceTolerance = 1e-4;

Images trace_images(int domain, std::int64_t count) {
  std::vector<std::uint8_t> pixels =
      domain == kSource ? trace::source_images() : trace::target_images();
  pixels.resize(static_cast<std::size_t>(count) * trace::kImageBytes);
  return {count, kImageSize, kImageSize, kImageChannels, std::move(pixels)};
}

Recipe trace_recipe() {
  Recipe recipe = preset("fungtion");
  recipe.training.source_batch = kTraceBatches[kSource];
  recipe.training.target_batch = kTraceBatches[kTarget];
  recipe.training.steps = trace::kSteps;
  return recipe;
}

// The largest of some deviations, each an error over a scale; infinite if one is not a number.
class Deviation {
 public:
  void include(double error, double scale) {
    const double deviation = std::abs(error) / scale;
    worst_ = std::isnan(deviation) ? std::numeric_limits<double>::infinity()
                                   : std::max(worst_, deviation);
  }
  double worst() const { return worst_; }

 private:
  double worst_ = 0.0;
};

// Of a block's norm, and of the entries that the trace quotes, whose scale is their root mean
// square.
template <typename Number>
double deviation_of(const std::vector<Number>& got, const trace::Sample& want) {
  const double scale = want.norm / std::sqrt(static_cast<double>(got.size()));
  double squares = 0.0;
  for (const double value : got) squares += value * value;
  Deviation deviation;
  deviation.include(std::sqrt(squares) - want.norm, want.norm);
  for (std::size_t place = 0; place < want.indices.size(); ++place) {
    deviation.include(got.at(want.indices[place]) - want.values[place], scale);
  }
  return deviation.worst();
}

// The scale is the largest of them.
double deviation_of(const std::vector<float>& got, const std::vector<double>& want) {
  double largest = 0.0;
  for (const double value : want) largest = std::max(largest, std::abs(value));
  Deviation deviation;
  for (std::size_t i = 0; i < want.size(); ++i) deviation.include(got.at(i) - want[i], largest);
  return deviation.worst();
}

// The class that has the largest of each image's logits.
std::vector<std::int32_t> most_likely(const std::vector<double>& logits) {
  std::vector<std::int32_t> labels;
  for (auto row = logits.begin(); row != logits.end(); row += kNumClasses) {
    labels.push_back(static_cast<std::int32_t>(std::max_element(row, row + kNumClasses) - row));
  }
  return labels;
}

template <typename Ctx>
class FungtionTraceTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  void prepare() override {
    source_.emplace(device_.context, source_images_, "source");
    target_.emplace(device_.context, target_images_, "target");
    want_ = trace::read_torch_trace(test_data("torch_fungtion_trace.json"));
    ASSERT_EQ(want_.steps.size(), static_cast<std::size_t>(trace::kSteps));
    const trace::WeightBlocks& blocks = trace::fungtion_weight_blocks();
    for (std::uint32_t block = 0; block < blocks.size(); ++block) {
      start_[blocks[block].name] = trace::initial_weights(blocks, block);
    }
  }

  // At the start of the trace; running statistics start as the layers have them.
  std::unique_ptr<Trainer> trainer(std::uint64_t seed) const {
    auto trainer = std::make_unique<Trainer>(dann(), network_, trace_recipe(),
                                             TrainingData{&*source_, &*target_}, seed, device_, 2);
    std::vector<NamedTensor> tensors = trainer->parameters();
    for (NamedTensor& tensor : tensors) {
      const auto start = start_.find(tensor.name);
      if (start != start_.end()) tensor.values = start->second;
    }
    trainer->set_parameters(tensors);
    return trainer;
  }

  // What a step, the trainer's next one, reports beside what the trace has of it.
  double deviation_of_step(Trainer& trainer) const {
    const trace::Step& want = want_.steps.at(static_cast<std::size_t>(trainer.steps_done()));
    const StepReport& got = trainer.run(1);
    Deviation deviation;
    deviation.include(got.find("lambda").value() - want.lambda, 1.0);
    deviation.include(got.find("learning_rate").value() - want.learning_rate, want.learning_rate);
    deviation.include(got.find("label_loss").value() - want.label_loss, want.label_loss);
    deviation.include(got.find("domain_loss").value() - want.domain_loss, want.domain_loss);
    return deviation.worst();
  }

  void expect_trained_as_in_trace(const std::vector<NamedTensor>& tensors) const {
    ASSERT_EQ(tensors.size(), want_.weight_changes.size() + want_.running.size());
    for (const NamedTensor& tensor : tensors) {
      SCOPED_TRACE(tensor.name);
      const auto start = start_.find(tensor.name);
      if (start == start_.end()) {
        EXPECT_LE(deviation_of(tensor.values, want_.running.at(tensor.name)), kTraceTolerance);
        continue;
      }
      std::vector<double> change(tensor.values.begin(), tensor.values.end());
      for (std::size_t i = 0; i < change.size(); ++i) change[i] -= start->second.at(i);
      EXPECT_LE(deviation_of(change, want_.weight_changes.at(tensor.name)), kTraceTolerance);
    }
  }

  void expect_evaluates_as_in_trace(Trainer& trainer, int domain) const {
    const trace::Logits& want = want_.evaluation.at(kTraceDomains.at(domain));
    const LabelledImages images{trace_images(domain, trace::kImagesPerDomain),
                                most_likely(want.label)};
    const LabelledDeviceData data(device_.context, images, kTraceDomains.at(domain));
    EXPECT_EQ(trainer.evaluate(data, domain), 1.0);

    const std::vector<NamedTensor> weights = trainer.parameters();
    const LogitsEvaluation evaluate(device_.context, network_, weights);
    const EvaluatedLogits got =
        evaluate(pass_of(trace_recipe().training), data, domain, kNumClasses, /*domain_logits=*/2);
    ASSERT_EQ(got.label.size(), want.label.size());
    ASSERT_EQ(got.domain.size(), want.domain.size());
    EXPECT_LE(deviation_of(got.label, want.label), kTraceTolerance);
    EXPECT_LE(deviation_of(got.domain, want.domain), kTraceTolerance);
  }

  const LabelledImages source_images_{trace_images(kSource, kTraceBatches[kSource]),
                                      trace::source_labels()};
  const UnlabelledImages target_images_{trace_images(kTarget, kTraceBatches[kTarget])};
  const Network network_ = fungtion(digits_input({}, trace_recipe().training.pixels));
  std::optional<LabelledDeviceData> source_;
  std::optional<DeviceData> target_;
  trace::Trace want_;
  std::map<std::string, std::vector<float>> start_;  // of what is trained
};
TYPED_TEST_SUITE(FungtionTraceTest, Backends, BackendNames);

TYPED_TEST(FungtionTraceTest, TakesTheStepsThatPyTorchTook) {
  const std::unique_ptr<Trainer> trainer = this->trainer(kTraceSeed);
  for (int step = 0; step < trace::kSteps; ++step) {
    EXPECT_LE(this->deviation_of_step(*trainer), kTraceTolerance) << step;
  }
  this->expect_trained_as_in_trace(trainer->parameters());
  for (const int domain : {kSource, kTarget}) {
    SCOPED_TRACE(kTraceDomains.at(domain));
    this->expect_evaluates_as_in_trace(*trainer, domain);
  }
}

// So that masks of their own would not go unnoticed.
TYPED_TEST(FungtionTraceTest, OtherMasksTakeAnotherStep) {
  const std::unique_ptr<Trainer> trainer = this->trainer(kTraceSeed + 1);
  EXPECT_THAT(this->deviation_of_step(*trainer), AllOf(Gt(100.0 * kTraceTolerance), Lt(1.0)));
}

}  // namespace
}  // namespace gradflip
