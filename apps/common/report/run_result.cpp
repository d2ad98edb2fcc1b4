#include "apps/common/report/run_result.h"

#include <algorithm>
#include <cmath>

#include "kernels/require.h"

namespace gradflip {
namespace {

const ModeSummary* find(const std::vector<ModeSummary>& modes, Mode mode) {
  const auto found = std::find_if(modes.begin(), modes.end(),
                                  [&](const ModeSummary& other) { return other.mode == mode; });
  return found == modes.end() ? nullptr : &*found;
}

std::optional<double> gap_closed(const std::vector<ModeSummary>& modes) {
  const ModeSummary* lower = find(modes, Mode::kSourceOnly);
  const ModeSummary* dann = find(modes, Mode::kDann);
  const ModeSummary* upper = find(modes, Mode::kTargetOnly);
  if (lower == nullptr || dann == nullptr || upper == nullptr) return {};
  const double gap = upper->target_test_accuracy.mean - lower->target_test_accuracy.mean;
  if (!(gap > 0.0)) return {};
  return (dann->target_test_accuracy.mean - lower->target_test_accuracy.mean) / gap;
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
  if (history.empty()) return {};
  return std::max_element(history.begin(), history.end(),
                          [](const EpochResult& a, const EpochResult& b) {
                            return a.target_test_accuracy < b.target_test_accuracy;
                          })
      ->target_test_accuracy;
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

Summary summarize(const std::vector<RunResult>& runs) {
  Summary summary;
  for (const Mode mode : {Mode::kSourceOnly, Mode::kDann, Mode::kTargetOnly}) {
    std::vector<double> source, target, oracle;
    for (const RunResult& run : runs) {
      if (run.mode != mode || !run.completed || run.history.empty()) continue;
      source.push_back(run.history.back().source_test_accuracy);
      target.push_back(run.history.back().target_test_accuracy);
      oracle.push_back(*run.oracle_target_test_accuracy());
    }
    if (target.empty()) continue;
    summary.modes.push_back({mode, static_cast<std::int64_t>(target.size()), statistics_of(source),
                             statistics_of(target), statistics_of(oracle)});
  }
  summary.gap_closed = gap_closed(summary.modes);
  return summary;
}

}  // namespace gradflip
