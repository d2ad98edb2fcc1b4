// Trains a network by a method, and measures it. Builds each stage's programs once; from the second
// call of run() within a stage on, training allocates nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/data/device_data.h"
#include "models/data/domain_data.h"
#include "models/evaluator.h"
#include "models/method.h"
#include "models/network.h"
#include "models/recipe.h"
#include "models/step_report.h"
#include "runtime/device.h"
#include "runtime/program.h"

namespace gradflip {

// What a run learns from: labels of the source alone. The data must outlive the trainer, which has
// no copy.
struct TrainingData {
  const LabelledDeviceData* source = nullptr;
  const DeviceData* target = nullptr;  // may be null for a method that does not read it
};

struct NamedTensor {
  std::string name;  // "feature_extractor.conv1.weight"
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

class Trainer {
 public:
  // Throws std::invalid_argument for a recipe, a network's input or a method that is not whole, and
  // for data in another device's memory; DataError for samples that the network does not take or
  // that are fewer than a batch.
  Trainer(const Method& method, const Network& network, const Recipe& recipe,
          const TrainingData& data, std::uint64_t seed, const Device& device, int threads);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  std::int64_t total_steps() const;
  std::int64_t steps_done() const;
  std::int64_t steps_per_epoch() const;
  std::int64_t images_done() const;  // through the feature extractor, in all steps so far

  // Begins the stage of the next step, if it has not begun; run() does so otherwise. True if it
  // did: then the steps that follow may take another time than those before.
  bool prepare();

  // The next `count` steps, fewer at the end of the run or of a stage of the method. Throws
  // DivergedError, naming step and quantity, when a loss or a gradient is no longer finite: no
  // update has used that, and what was updated before it, in the same step too, stays. The report
  // is of these steps, and valid until the next call.
  const StepReport& run(std::int64_t count);
  // Of the steps of the current epoch so far; when an epoch has just ended, of all of it. Same
  // seed, same bits, however calls of run() cut the steps. Valid until the next run().
  const StepReport& epoch_report() const;
  // What reports hold, in their order; of all stages, each name once.
  const std::vector<ReportColumn>& report_columns() const;

  // Share of samples whose label the label predictor gets right. domain: that they are of, kSource or
  // kTarget, where the network treats them differently. Does not touch the training state.
  double evaluate(const LabelledDeviceData& data, int domain = kTarget);
  // For measuring the same samples again and again. Must not outlive the trainer, nor the data.
  std::unique_ptr<Evaluator> evaluator(const LabelledDeviceData& data, int domain = kTarget);

  // All weights in PyTorch's conventions: KCRS filters, (out, in) matrices, features flattened C,
  // H, W.
  std::vector<NamedTensor> parameters() const;
  // Replaces all weights that are trained; the optimizer's state stays, and so do copies in banks
  // that a stage has made, with its first step. Throws std::invalid_argument unless names
  // and shapes are exactly those of parameters().
  void set_parameters(const std::vector<NamedTensor>& tensors);

  // All weights as one safetensors file in PyTorch's conventions (KCRS, (out, in), features
  // flattened C, H, W), with the means and the options as metadata. Atomic; IoError.
  void save(const std::filesystem::path& path) const;

  // What an update of the stage of the next step runs, by its place; see runtime/program.h. Until
  // that stage ends.
  Program& program(std::size_t update = 0);

  // The flat weights of a bank in the layout that kernels read, for comparisons bit by bit. 0 are
  // those that are trained.
  std::vector<float> weights(int bank = 0) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gradflip
