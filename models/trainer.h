// Trains the paper's network, on one domain or as a DANN, and measures it. Builds the step's graph
// once; after the first step, training allocates nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/data/device_data.h"
#include "models/data/network_input.h"
#include "models/evaluator.h"
#include "models/recipe.h"
#include "models/step_report.h"
#include "runtime/device.h"
#include "runtime/graph.h"
#include "runtime/launch_observer.h"

namespace gradflip {

// What a run learns from, and how the network takes it. A DANN has both parts; source-only and
// train-on-target have `labelled` alone. The data must outlive the trainer, which has no copy.
struct TrainingData {
  const LabelledDeviceData* labelled = nullptr;
  const DeviceData* unlabelled = nullptr;  // null: no domain classifier
  NetworkInput input;
};

struct NamedTensor {
  std::string name;  // "feature_extractor.conv1.weight"
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

class Trainer {
 public:
  // Throws std::invalid_argument for a recipe or an input out of range, and for data in another
  // device's memory; DataError for samples that the input does not take or that are fewer than a
  // batch.
  Trainer(const Recipe& recipe, const TrainingData& data, std::uint64_t seed, const Device& device,
          int threads);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  std::int64_t total_steps() const;
  std::int64_t steps_done() const;
  std::int64_t steps_per_epoch() const;
  std::int64_t images_per_step() const;  // through the feature extractor

  // The next `count` steps (fewer at the end of the run). Throws DivergedError, naming step and
  // quantity, when a loss or a gradient is no longer finite; the weights are then those of the last
  // finite step. The report is of these steps, and valid until the next call.
  const StepReport& run(std::int64_t count);
  // Of the steps of the current epoch so far; when an epoch has just ended, of all of it. Same
  // seed, same bits, however calls of run() cut the steps. Valid until the next run().
  const StepReport& epoch_report() const;
  // What reports hold, in their order.
  const std::vector<ReportColumn>& report_columns() const;

  // Share of samples whose label the label predictor gets right. Does not touch the training state.
  double evaluate(const LabelledDeviceData& data);
  // For measuring the same samples again and again. Must not outlive the trainer, nor the data.
  std::unique_ptr<Evaluator> evaluator(const LabelledDeviceData& data);

  // All weights in PyTorch's conventions: KCRS filters, (out, in) matrices, features flattened C,
  // H, W.
  std::vector<NamedTensor> parameters() const;
  // Replaces all weights; the optimizer's state stays. Throws std::invalid_argument unless names
  // and shapes are exactly those of parameters().
  void set_parameters(const std::vector<NamedTensor>& tensors);

  // All weights as one safetensors file in PyTorch's conventions (KCRS, (out, in), features
  // flattened C, H, W), with the means and the options as metadata. Atomic; IoError.
  void save(const std::filesystem::path& path) const;

  // The step's graph, and someone to tell of its launches (null: nobody); see runtime/executor.h.
  const Graph& graph() const;
  void observe(LaunchObserver* observer);

  // The flat weights in the layout that kernels read, for comparisons bit by bit.
  std::vector<float> weights() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gradflip
