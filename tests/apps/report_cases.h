// Runs that the tests of reports and tables show.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/report/paper_rows.h"
#include "apps/common/report/run_result.h"

namespace gradflip {

// What DANN's method reports, or that of a run on one domain.
inline std::vector<Reported> reported_by(const std::string& mode, double label_loss) {
  const Reported label{"label_loss", label_loss}, rate{"learning_rate", 0.01, true};
  if (mode != kDann) return {label, rate};
  return {label, {"domain_loss", 0.69}, {"domain_accuracy", 0.5}, {"lambda", 0.9, true}, rate};
}

// Names that nothing but this test knows.
inline std::vector<Reported> reported_by_another_method() {
  return {{"label_loss", 0.125},
          {"critic_score", 12.5},
          {"temperature", 0.0625, true},
          {"teacher_accuracy", 0.75}};
}

inline std::vector<ReportColumn> columns_in(const std::vector<Reported>& reported) {
  std::vector<ReportColumn> columns;
  columns.reserve(reported.size());
  for (const Reported& each : reported) columns.push_back({each.name, each.last});
  return columns;
}

inline EpochResult epoch(std::int64_t number, double source, double target) {
  EpochResult result;
  result.epoch = number;
  result.steps = 100 * number;
  result.source_test_accuracy = source;
  result.target_test_accuracy = target;
  result.seconds = 2.0 * static_cast<double>(number);
  return result;
}

inline RunResult run(const std::string& mode, std::uint64_t seed,
                     std::vector<EpochResult> history) {
  RunResult result;
  result.mode = mode;
  result.seed = seed;
  result.steps = history.empty() ? 7 : history.back().steps;
  result.seconds = 4.0;
  result.evaluation_seconds = 0.5;
  result.data_seconds = 0.25;
  result.wall_seconds = 5.0;
  result.steps_per_epoch = 50;
  result.images_per_second = 1600.0;
  result.history = std::move(history);
  result.completed = true;
  result.columns = columns_in(reported_by(mode, 0.0));
  for (EpochResult& entry : result.history) {
    entry.reported = reported_by(mode, 0.25 / static_cast<double>(entry.epoch));
  }
  return result;
}

inline RunResult of_another_method(RunResult run) {
  run.columns = columns_in(reported_by_another_method());
  for (EpochResult& entry : run.history) entry.reported = reported_by_another_method();
  return run;
}

inline std::vector<RunResult> three_modes() {
  return {run(kSourceOnly, 1, {epoch(1, 0.90, 0.50), epoch(2, 0.98, 0.40)}),
          run(kDann, 1, {epoch(1, 0.91, 0.75), epoch(2, 0.97, 0.70)}),
          run(kTargetOnly, 1, {epoch(1, 0.60, 0.85), epoch(2, 0.62, 0.90)})};
}

inline Plan all_modes(std::int64_t seeds = 1) { return {{kSourceOnly, kDann, kTargetOnly}, seeds}; }

// As it is on a target without labels.
inline RunResult unmeasured(RunResult run) {
  run.measures_target = false;
  for (EpochResult& epoch : run.history) epoch.target_test_accuracy.reset();
  return run;
}

inline RunResult failed(RunResult run) {
  run.completed = false;
  run.error = RunError{7, "training diverged at step 7"};
  return run;
}

}  // namespace gradflip
