#include "apps/common/report/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace gradflip {
namespace {

constexpr const char* kRow = "{:<16}{:>17}{:>17}{:>17}{:>12}\n";

const char* title(Mode mode) {
  switch (mode) {
    case Mode::kSourceOnly:
      return "source-only";
    case Mode::kDann:
      return "DANN";
    case Mode::kTargetOnly:
      return "train-on-target";
  }
  return "";
}

std::string percent(const Statistics& statistics) {
  if (!statistics.deviation) return fmt::format("{:.2f} %", 100.0 * statistics.mean);
  return fmt::format("{:.2f} ± {:.2f} %", 100.0 * statistics.mean, 100.0 * *statistics.deviation);
}

std::string how_far(const RunResult& run) {
  std::string text = fmt::format("stopped early: {} seed {} after {} steps", name_of(run.mode),
                                 run.seed, run.steps);
  if (!run.history.empty()) {
    const EpochResult& last = run.history.back();
    text += fmt::format("; target test {:.2f} % after epoch {}", 100.0 * last.target_test_accuracy,
                        last.epoch);
  }
  return text + "\n";
}

std::string seeds_note(const Summary& summary) {
  if (summary.modes.empty()) return "no run was completed\n";
  const auto [fewest, most] = std::minmax_element(
      summary.modes.begin(), summary.modes.end(),
      [](const ModeSummary& a, const ModeSummary& b) { return a.runs < b.runs; });
  if (most->runs == 1) return "one seed\n";
  if (fewest->runs == most->runs) {
    return fmt::format("mean ± sample deviation over {} seeds\n", most->runs);
  }
  return fmt::format("mean ± sample deviation over {} to {} seeds\n", fewest->runs, most->runs);
}

}  // namespace

std::string table(const std::vector<RunResult>& runs, const TableNotes& notes) {
  const Summary summary = summarize(runs);
  std::string text = fmt::format("{} -> {}\n\n", notes.source, notes.target);
  text += fmt::format(kRow, "", "source test", notes.transductive ? "target train*" : "target test",
                      "oracle (+)", "gap closed");
  for (const ModeSummary& mode : summary.modes) {
    const bool closes_gap = mode.mode == Mode::kDann && summary.gap_closed;
    text +=
        fmt::format(kRow, title(mode.mode), percent(mode.source_test_accuracy),
                    percent(mode.target_test_accuracy), percent(mode.oracle_target_test_accuracy),
                    closes_gap ? fmt::format("{:.1f} %", 100.0 * *summary.gap_closed) : "-");
  }
  text += "\nAccuracies after the last epoch; " + seeds_note(summary);
  text += "(+) best epoch by target labels: not usable for choosing\n";
  if (notes.transductive) {
    text +=
        "(*) transductive: the target has no test part and is scored on its training pictures\n";
  }
  for (const RunResult& run : runs) {
    if (!run.completed) text += how_far(run);
  }
  return text;
}

}  // namespace gradflip
