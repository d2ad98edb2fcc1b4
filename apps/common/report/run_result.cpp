#include "apps/common/report/run_result.h"

#include <algorithm>
#include <cmath>
#include <iterator>

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

std::optional<double> gap_closed(const Summary& summary) {
  const auto target = [&](Mode mode) -> std::optional<double> {
    const ModeSummary* found = summary.find(mode);
    if (found == nullptr || !found->target_test_accuracy) return {};
    return found->target_test_accuracy->mean;
  };
  const std::optional<double> lower = target(Mode::kSourceOnly), dann = target(Mode::kDann),
                              upper = target(Mode::kTargetOnly);
  if (!lower || !dann || !upper || !(*upper - *lower > 0.0)) return {};
  return (*dann - *lower) / (*upper - *lower);
}

}  // namespace

std::string name_of(Mode mode) {
  switch (mode) {
    case Mode::kSourceOnly:
      return "source-only";
    case Mode::kDann:
      return "dann";
    case Mode::kTargetOnly:
      return "target-only";
  }
  throw std::invalid_argument(message("no name for mode ", static_cast<int>(mode)));
}

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

const ModeSummary* Summary::find(Mode mode) const {
  const auto found = std::find_if(modes.begin(), modes.end(),
                                  [&](const ModeSummary& other) { return other.mode == mode; });
  return found == modes.end() ? nullptr : &*found;
}

Summary summarize(const std::vector<RunResult>& runs) {
  Summary summary;
  for (const Mode mode : {Mode::kSourceOnly, Mode::kDann, Mode::kTargetOnly}) {
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
        {mode, std::ssize(source), statistics_of(source), measured(target), measured(oracle)});
  }
  summary.gap_closed = gap_closed(summary);
  return summary;
}

}  // namespace gradflip
