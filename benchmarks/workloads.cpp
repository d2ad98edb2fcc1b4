#include "benchmarks/workloads.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>
#include <random>

#include "benchmarks/support/paper_network.h"
#include "kernels/require.h"
#include "models/data/device_data.h"
#include "models/data/input_values.h"
#include "models/evaluation.h"
#include "models/methods/dann_options.h"
#include "models/methods/source_only.h"
#include "models/networks/paper_mnist.h"
#include "models/trainer.h"
#include "runtime/program.h"
#include "runtime/sequence.h"
#include "runtime/state.h"

namespace gradflip::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Enough pictures that a step finds few of its own in a cache; never fewer than a batch.
constexpr std::int64_t kPictures = 16'384;
// So long that the schedules stand where a run begins, whatever is timed.
constexpr std::int64_t kTotalSteps = 1'000'000'000'000;
constexpr std::uint64_t kSeed = 1;
// So small that its multiples of a velocity are lost beside any weight.
constexpr double kStillLearningRate = 1e-20;
constexpr int kWindows = 7;
constexpr double kWarmupSeconds = 0.3;
constexpr float kMean = 40.0F;  // of a picture's levels, to take off

// Dark noise with a bright bar at a height that tells the class, so that training has something to
// learn and stays finite for as long as it is timed.
LabelledImages pictures(std::int64_t count, std::uint64_t seed) {
  LabelledImages data;
  data.num_classes = kNumClasses;
  data.images = {count, kImageSize, kImageSize, kImageChannels, {}};
  data.images.pixels.reserve(static_cast<std::size_t>(count * data.images.bytes_per_image()));
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t label = n % kNumClasses;
    data.labels.push_back(static_cast<std::int32_t>(label));
    for (std::int64_t h = 0; h < kImageSize; ++h) {
      const bool bar = h / 2 == label + 2;
      for (std::int64_t i = 0; i < kImageSize * kImageChannels; ++i) {
        data.images.pixels.push_back(static_cast<std::uint8_t>(bar ? 255 : random() % 64));
      }
    }
  }
  return data;
}

// What is timed: steps at the beginning of a run, for as long as it takes.
Recipe timed_recipe(const WorkloadOptions& options) {
  Recipe recipe = options.recipe;
  TrainingOptions& training = recipe.training;
  training.steps = kTotalSteps;
  training.learning_rate_schedule = LearningRateSchedule::kConstant;
  if (options.still) training.learning_rate = kStillLearningRate;
  // The ramp starts at zero, where a reversed gradient would be nothing but zeros.
  auto& adversary = recipe.of<DannOptions>();
  adversary.lambda_schedule = LambdaSchedule::kConstant;
  adversary.lambda = 0.1;
  adversary.pretraining = 0.0;
  return recipe;
}

class TrainingWorkload : public Workload {
 public:
  TrainingWorkload(const Method& method, const WorkloadOptions& options, const Device& device) {
    const Recipe recipe = with_all_pictures(timed_recipe(options), method);
    const std::int64_t count = std::max(kPictures, pictures_per_step(recipe));
    Parameters parameters;
    const std::vector<WrittenUpdate> updates = last_stage(method, recipe, count, parameters);
    GRADFLIP_REQUIRE(updates.size() == 1,
                     message("step_bench times no method of ", updates.size(), " updates"));
    rows_ = updates.front().rows;
    images_ = updates.front().images;
    source_ = pictures(count, kSeed);
    source_data_.emplace(device.context, source_, "source");
    if (method.reads_target) {
      target_ = pictures(count, kSeed + 1).without_labels();
      target_data_.emplace(device.context, target_, "target");
    }
    trainer_ = std::make_unique<Trainer>(
        method, network_of(recipe, kMean), recipe,
        TrainingData{&*source_data_, method.reads_target ? &*target_data_ : nullptr}, kSeed, device,
        options.threads);
  }

  std::int64_t images_per_step() const override { return images_; }
  void run(std::int64_t steps) override { trainer_->run(steps); }
  const Graph& graph() const override { return trainer_->program().graph(); }
  std::vector<std::int64_t> rows() const override { return rows_; }
  void observe(LaunchObserver* observer) override {
    trainer_->program().executor().observe(observer);
  }

 private:
  LabelledImages source_;
  UnlabelledImages target_;
  std::optional<LabelledDeviceData> source_data_;
  std::optional<DeviceData> target_data_;
  std::vector<std::int64_t> rows_;
  std::int64_t images_ = 0;
  std::unique_ptr<Trainer> trainer_;
};

// The parts of the network that an evaluation needs, declared by a method that has no others.
Parameters declared_parameters(const Recipe& recipe) {
  Parameters parameters;
  (void)last_stage(source_only(), recipe, kPictures, parameters);
  return parameters;
}

// An evaluation without a trainer around it: pictures in, correct predictions out.
class InferenceWorkload : public Workload {
 public:
  InferenceWorkload(const WorkloadOptions& options, const Device& device)
      : device_(device),
        workers_(options.threads),
        batch_(pictures_per_step(options.recipe)),
        recipe_(options.recipe),
        network_(network_of(recipe_, kMean)),
        images_(pictures(std::max(kPictures / batch_, std::int64_t{1}) * batch_, kSeed)),
        data_(device_.context, images_, "pictures"),
        parameters_(declared_parameters(recipe_)),
        evaluation_(write_evaluation(network_, parameters_, data_.shape(), kNumClasses, batch_,
                                     pass_of(recipe_.training))),
        state_(device_.context, parameters_, kSeed, {}),
        input_memory_(device_.context, network_.input),
        batches_(device_.context, sizeof(std::int64_t)),
        program_(evaluation_.draft, parameters_, state_, device_.context, workers_,
                 std::array{batch_}) {
    program_.bind(evaluation_.samples, data_.samples());
    program_.bind(evaluation_.labels, data_.labels());
    program_.bind(evaluation_.batches, batches_.data());
    input_memory_.bind(program_, evaluation_.input);
    sequence_.append(program_.executor(), {batch_});
  }

  std::int64_t images_per_step() const override { return batch_; }
  void run(std::int64_t steps) override {
    sequence_.run(steps);
    (void)program_.read_scalar(evaluation_.correct);
  }
  const Graph& graph() const override { return program_.graph(); }
  std::vector<std::int64_t> rows() const override { return {batch_}; }
  void observe(LaunchObserver* observer) override { program_.executor().observe(observer); }

 private:
  Device device_;
  Workers workers_;
  std::int64_t batch_;
  Recipe recipe_;
  Network network_;
  LabelledImages images_;
  LabelledDeviceData data_;
  Parameters parameters_;
  Evaluation evaluation_;
  State state_;
  InputMemory input_memory_;
  Buffer batches_;
  Program program_;
  Sequence sequence_{device_.context};
};

double seconds_of(Workload& workload, std::int64_t steps) {
  const Clock::time_point begin = Clock::now();
  workload.run(steps);
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// How many steps take about so long; warms up on the way.
std::int64_t steps_in(Workload& workload, double seconds) {
  std::int64_t steps = 1;
  double spent = 0.0, last = 0.0;
  while (true) {
    last = seconds_of(workload, steps);
    spent += last;
    if (spent >= kWarmupSeconds) break;
    steps *= 2;
  }
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::llround(seconds * static_cast<double>(steps) / last)));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

std::unique_ptr<Workload> training_workload(const Method& method, const WorkloadOptions& options,
                                            const Device& device) {
  return std::make_unique<TrainingWorkload>(method, options, device);
}

std::unique_ptr<Workload> inference_workload(const WorkloadOptions& options, const Device& device) {
  return std::make_unique<InferenceWorkload>(options, device);
}

Comparison measure(const std::vector<Workload*>& workloads, double seconds) {
  const double window_seconds = seconds / kWindows / static_cast<double>(workloads.size());
  std::vector<std::int64_t> steps;
  for (Workload* workload : workloads) steps.push_back(steps_in(*workload, window_seconds));
  std::vector<std::vector<double>> rates(workloads.size());
  for (int window = 0; window < kWindows; ++window) {
    for (std::size_t i = 0; i < workloads.size(); ++i) {
      const auto images = static_cast<double>(steps[i] * workloads[i]->images_per_step());
      rates[i].push_back(images / seconds_of(*workloads[i], steps[i]));
    }
  }
  Comparison comparison;
  for (const std::vector<double>& rate : rates) {
    const auto [least, most] = std::minmax_element(rate.begin(), rate.end());
    comparison.throughputs.push_back({median(rate), *least, *most, kWindows});
  }
  std::vector<double> ratios;
  for (int window = 0; window < kWindows; ++window) {
    ratios.push_back(rates.front()[window] / rates.back()[window]);
  }
  comparison.ratio = median(ratios);
  return comparison;
}

}  // namespace gradflip::bench
