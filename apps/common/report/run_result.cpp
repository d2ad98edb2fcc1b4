#include "apps/common/report/run_result.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "apps/common/report/paper_rows.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

// The accuracies that were measured; runs of one experiment all have them or all lack them.
std::optional<Statistics> measured(const std::vector<std::optional<double>>& values) {
  std::vector<double> present;
  for (const std::optional<double>& value : values) {
    if (value) present.push_back(*value);
  }
  if (present.empty()) return {};
  return statistics_of(present);
}

std::optional<double> target_mean(const ModeSummary* mode) {
  if (mode == nullptr || !mode->target_test_accuracy) return {};
  return mode->target_test_accuracy->mean;
}

std::optional<double> gap_closed(const ModeSummary& mode, const Summary& summary) {
  if (mode.mode == kSourceOnly || mode.mode == kTargetOnly) return {};
  const std::optional<double> lower = target_mean(summary.find(kSourceOnly)),
                              upper = target_mean(summary.find(kTargetOnly)),
                              reached = target_mean(&mode);
  if (!lower || !upper || !reached || !(*upper - *lower > 0.0)) return {};
  return (*reached - *lower) / (*upper - *lower);
}

// Each once, in the order of their first runs.
std::vector<std::string> modes_in(const std::vector<RunResult>& runs) {
  std::vector<std::string> modes;
  for (const RunResult& run : runs) {
    if (std::find(modes.begin(), modes.end(), run.mode) == modes.end()) modes.push_back(run.mode);
  }
  return modes;
}

}  // namespace

double RunResult::seconds_per_source_epoch() const {
  return steps == 0 ? 0.0
                    : seconds / static_cast<double>(steps) * static_cast<double>(steps_per_epoch);
}

std::optional<double> RunResult::oracle_target_test_accuracy() const {
  std::optional<double> best;  // no value is less than any
  for (const EpochResult& epoch : history) best = std::max(best, epoch.target_test_accuracy);
  return best;
}

std::vector<ReportColumn> columns_of(const std::vector<RunResult>& runs) {
  std::vector<ReportColumn> columns;
  for (const RunResult& run : runs) {
    auto place = columns.begin();
    for (const ReportColumn& column : run.columns) {
      const auto found =
          std::find_if(columns.begin(), columns.end(),
                       [&](const ReportColumn& other) { return other.name == column.name; });
      place = std::next(found == columns.end() ? columns.insert(place, column) : found);
    }
  }
  return columns;
}

Statistics statistics_of(const std::vector<double>& values) {
  GRADFLIP_REQUIRE(!values.empty(), "statistics of no values");
  const auto count = static_cast<double>(values.size());
  Statistics statistics;
  for (const double value : values) statistics.mean += value / count;
  if (values.size() == 1) return statistics;
  double squares = 0.0;
  for (const double value : values) {
    squares += (value - statistics.mean) * (value - statistics.mean);
  }
  statistics.deviation = std::sqrt(squares / (count - 1.0));
  return statistics;
}

const ModeSummary* Summary::find(const std::string& mode) const {
  const auto found = std::find_if(modes.begin(), modes.end(),
                                  [&](const ModeSummary& other) { return other.mode == mode; });
  return found == modes.end() ? nullptr : &*found;
}

Summary summarize(const std::vector<RunResult>& runs) {
  Summary summary;
  for (const std::string& mode : modes_in(runs)) {
    std::vector<double> source;
    std::vector<std::optional<double>> target, oracle;
    for (const RunResult& run : runs) {
      if (run.mode != mode || !run.completed || run.history.empty()) continue;
      source.push_back(run.history.back().source_test_accuracy);
      target.push_back(run.history.back().target_test_accuracy);
      oracle.push_back(run.oracle_target_test_accuracy());
    }
    if (source.empty()) continue;
    summary.modes.push_back(
        {mode, std::ssize(source), statistics_of(source), measured(target), measured(oracle), {}});
  }
  for (ModeSummary& mode : summary.modes) mode.gap_closed = gap_closed(mode, summary);
  return summary;
}

}  // namespace gradflip
