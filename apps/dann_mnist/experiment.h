// The paper's experiment: the same network trained on the source only, as a DANN, and on the
// target's own labels. The first and the last are the bounds between which the second is judged.
#pragma once

#include <cstdint>
#include <functional>

#include "apps/common/report/run_result.h"
#include "apps/common/run/progress.h"
#include "apps/dann_mnist/data_sources.h"
#include "models/options.h"
#include "models/trainer.h"
#include "runtime/device.h"

namespace gradflip {

// What the runs of an experiment share.
struct Experiment {
  const ExperimentData& data;
  const TrainingOptions& options;
  const Device& device;
  int threads;
  Progress& progress;
  std::function<bool()> stop_requested;  // asked between blocks of steps of some 25 ms
  std::function<void(const Trainer&, const RunResult&)> save;  // called at the end of every run
};

// Each trains one network to the end of the run, or until a stop is requested, and measures it at
// the end of every epoch on both test sets. Target test accuracy is recorded and decides nothing.
// Throws what Trainer throws.
RunResult source_only(const Experiment& experiment, std::uint64_t seed);
RunResult dann(const Experiment& experiment, std::uint64_t seed);
RunResult train_on_target(const Experiment& experiment, const LabelledImages& labelled_target,
                          std::uint64_t seed);

}  // namespace gradflip
