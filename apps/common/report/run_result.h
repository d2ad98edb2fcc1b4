// What a training run measured: the one form that the table, the JSON document and the progress
// lines share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/report/wall_time.h"

namespace gradflip {

enum class Mode { kSourceOnly, kDann, kTargetOnly };

// As the command line and JSON spell it: "source-only", "dann", "target-only".
std::string name_of(Mode mode);

// The state at the end of an epoch, or of the run. Losses and domain accuracy are means over the
// epoch's steps; what a run without a domain classifier does not have is empty.
struct EpochResult {
  std::int64_t epoch = 0;  // from 1; the last may be part of an epoch
  std::int64_t steps = 0;  // since the run's start
  double label_loss = 0.0;
  std::optional<double> domain_loss, domain_accuracy, lambda;
  double learning_rate = 0.0;
  double source_test_accuracy = 0.0, target_test_accuracy = 0.0;
  double seconds = 0.0;  // of training since the run's start, evaluation not counted
};

struct RunResult {
  Mode mode = Mode::kDann;
  std::uint64_t seed = 0;
  std::int64_t steps = 0;
  double seconds = 0.0;  // of training, wall clock
  double evaluation_seconds = 0.0;
  double data_seconds = 0.0;         // until the pictures were where training reads them
  double wall_seconds = 0.0;         // from the start of the run to its end
  double images_per_second = 0.0;    // through the feature extractor, while training
  std::int64_t steps_per_epoch = 0;  // of the source
  std::vector<EpochResult> history;  // empty if a signal came before the first evaluation
  bool completed = false;            // false: a signal ended it early

  // Of training, as if the run had been one epoch long or longer; 0 before the first step.
  double seconds_per_source_epoch() const;
  WallTime wall_time() const { return {wall_seconds, seconds, evaluation_seconds, data_seconds}; }

  // Best target test accuracy of any epoch. It takes target labels to know which epoch that was, so
  // it may stand beside a result but never choose one. Empty without history.
  std::optional<double> oracle_target_test_accuracy() const;
};

struct Statistics {
  double mean = 0.0;
  std::optional<double> deviation;  // of the sample (n - 1); empty for one value
};

// `values` is not empty.
Statistics statistics_of(const std::vector<double>& values);

// A mode's completed runs, over their seeds; last epochs and oracle.
struct ModeSummary {
  Mode mode = Mode::kDann;
  std::int64_t runs = 0;
  Statistics source_test_accuracy, target_test_accuracy, oracle_target_test_accuracy;
};

struct Summary {
  std::vector<ModeSummary> modes;  // in the order of the paper's table; only those that ran
  // (DANN - source-only) / (target-only - source-only), of the means; empty unless all three modes
  // ran and there is a gap to close.
  std::optional<double> gap_closed;
};

Summary summarize(const std::vector<RunResult>& runs);

}  // namespace gradflip
