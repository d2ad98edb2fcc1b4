// What a training run measured: the one form that the table, the JSON document and the progress
// lines share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/report/wall_time.h"
#include "models/step_report.h"

namespace gradflip {

// The state at the end of an epoch, or of the run.
struct EpochResult {
  std::int64_t epoch = 0;          // from 1; the last may be part of an epoch
  std::int64_t steps = 0;          // since the run's start
  std::vector<Reported> reported;  // by the method, over the epoch's steps
  double source_test_accuracy = 0.0;
  std::optional<double> target_test_accuracy;  // empty: the target has no labels to measure with
  double seconds = 0.0;  // of training since the run's start, evaluation not counted
};

// What ended a run, or kept it from being saved.
struct RunError {
  int code = 1;  // of docs/exit-codes.md
  std::string message;
};

struct RunResult {
  std::string mode;  // as --mode and JSON have it: "dann"
  std::uint64_t seed = 0;
  std::int64_t steps = 0;
  double seconds = 0.0;  // of training, wall clock
  double evaluation_seconds = 0.0;
  double data_seconds = 0.0;           // until the pictures were where training reads them
  double wall_seconds = 0.0;           // from the start of the run to its end
  double images_per_second = 0.0;      // through the feature extractor, while training
  std::int64_t steps_per_epoch = 0;    // of the source
  std::vector<ReportColumn> columns;   // what its method reports
  std::vector<EpochResult> history;    // empty if the run ended before the first evaluation
  bool measures_target = true;         // false: the target has no labels to measure with
  bool completed = false;              // false: an error or a signal ended it early
  std::optional<RunError> error;       // what ended it
  std::optional<RunError> save_error;  // its weights are not in a file; the figures hold

  // Of training, as if the run had been one epoch long or longer; 0 before the first step.
  double seconds_per_source_epoch() const;
  WallTime wall_time() const { return {wall_seconds, seconds, evaluation_seconds, data_seconds}; }

  // Best target test accuracy of any epoch. It takes target labels to know which epoch that was, so
  // it may stand beside a result but never choose one. Empty where none was measured.
  std::optional<double> oracle_target_test_accuracy() const;
};

// What the methods of all runs report, each name once, behind the name that it follows in its own
// run.
std::vector<ReportColumn> columns_of(const std::vector<RunResult>& runs);

struct Statistics {
  double mean = 0.0;
  std::optional<double> deviation;  // of the sample (n - 1); empty for one value
};

// `values` is not empty.
Statistics statistics_of(const std::vector<double>& values);

// What was asked for: each of the modes with so many seeds.
struct Plan {
  std::vector<std::string> modes;
  std::int64_t seeds = 1;

  std::int64_t runs() const { return static_cast<std::int64_t>(modes.size()) * seeds; }
};

// A mode's completed runs, over their seeds; last epochs and oracle.
struct ModeSummary {
  std::string mode;
  std::int64_t runs = 0;
  Statistics source_test_accuracy;
  std::optional<Statistics> target_test_accuracy, oracle_target_test_accuracy;
  // (mode - source-only) / (target-only - source-only), of the means on the target; empty of these
  // two, and unless all three ran and there is a gap to close.
  std::optional<double> gap_closed;
};

struct Summary {
  std::vector<ModeSummary> modes;  // in the order of their first runs; only those that completed

  // null if no run of it completed
  const ModeSummary* find(const std::string& mode) const;
};

Summary summarize(const std::vector<RunResult>& runs);

}  // namespace gradflip
