// The paper's experiment: the same network trained on the source only, by methods that adapt it,
// and on the target's own labels. The first and the last are the bounds between which the others
// are judged.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string>

#include "apps/common/report/run_result.h"
#include "apps/common/run/progress.h"
#include "apps/dann_mnist/device_sets.h"
#include "models/network.h"
#include "models/recipe.h"
#include "models/trainer.h"
#include "runtime/device.h"

namespace gradflip {

// What the runs of an experiment share.
struct Experiment {
  const DeviceSets& sets;
  const Network& network;
  const Recipe& recipe;
  const Device& device;
  int threads;
  Progress& progress;
  std::function<bool()> stop_requested;  // asked between blocks of steps of some 25 ms
  // Called at the end of every run that has made a step and did not fail.
  std::function<void(const Trainer&, const RunResult&)> save;
};

// Trains one network to the end of the run, or until a stop is requested, and measures it at the
// end of every epoch on both test sets. Target test accuracy is recorded and decides nothing. What
// goes wrong is in the result: `error` if it ended the run, `save_error` if only its weights are
// lost. The sets must have a labelled target for the mode target-only, which alone sees it.
RunResult run(const Experiment& experiment, const std::string& mode, std::uint64_t seed);

// What went wrong, as reports show it.
RunError run_error_of(const std::exception& error);

}  // namespace gradflip
