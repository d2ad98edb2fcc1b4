#include "apps/common/report/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/common/report/paper_rows.h"
#include "apps/common/shown.h"

namespace gradflip {
namespace {

constexpr const char* kRow = "{:<16}{:>17}{:>17}{:>17}{:>12}\n";

// As the paper calls its rows; others have their own names.
std::string title(const std::string& mode) {
  if (mode == kDann) return "DANN";
  return mode == kTargetOnly ? "train-on-target" : mode;
}

std::string percent(const std::optional<Statistics>& statistics) {
  if (!statistics) return "-";
  if (!statistics->deviation) return fmt::format("{:.2f} %", 100.0 * statistics->mean);
  return fmt::format("{:.2f} ± {:.2f} %", 100.0 * statistics->mean, 100.0 * *statistics->deviation);
}

std::string how_far(const RunResult& run) {
  std::string text =
      fmt::format("{}: {} seed {} after {} steps", run.error ? "failed" : "stopped early", run.mode,
                  run.seed, run.steps);
  if (run.error) return text + ": " + run.error->message + "\n";
  if (!run.history.empty() && run.history.back().target_test_accuracy) {
    const EpochResult& last = run.history.back();
    text += fmt::format("; target test {:.2f} % after epoch {}", 100.0 * *last.target_test_accuracy,
                        last.epoch);
  }
  return text + "\n";
}

std::string seeds_note(const Summary& summary, const Plan& plan) {
  if (summary.modes.empty()) return "no run was completed\n";
  if (plan.seeds <= 1) return "one seed\n";
  std::string finished;
  bool all = true;
  for (const std::string& mode : plan.modes) {
    const ModeSummary* found = summary.find(mode);
    const std::int64_t runs = found == nullptr ? 0 : found->runs;
    all = all && runs == plan.seeds;
    finished += fmt::format("{}{} {} of {}", finished.empty() ? "" : ", ", mode, runs, plan.seeds);
  }
  if (all) return fmt::format("mean ± sample deviation over {} seeds\n", plan.seeds);
  return fmt::format("mean ± sample deviation over the seeds that finished: {}\n", finished);
}

}  // namespace

std::string table(const std::vector<RunResult>& runs, const TableNotes& notes) {
  const Summary summary = summarize(runs);
  std::string text =
      fmt::format("{} -> {}\n\n", without_controls(notes.source), without_controls(notes.target));
  text += fmt::format(kRow, "", "source test", notes.transductive ? "target train*" : "target test",
                      "oracle (+)", "gap closed");
  for (const ModeSummary& mode : summary.modes) {
    text +=
        fmt::format(kRow, title(mode.mode), percent(mode.source_test_accuracy),
                    percent(mode.target_test_accuracy), percent(mode.oracle_target_test_accuracy),
                    mode.gap_closed ? fmt::format("{:.1f} %", 100.0 * *mode.gap_closed) : "-");
  }
  text += "\nAccuracies after the last epoch; " + seeds_note(summary, notes.plan);
  text += "(+) best epoch by target labels: not usable for choosing\n";
  if (notes.transductive) {
    text += "(*) transductive: the target is scored on its training pictures\n";
  }
  for (const RunResult& run : runs) {
    if (!run.completed) text += how_far(run);
    if (run.save_error) {
      text +=
          fmt::format("not saved: {} seed {}: {}\n", run.mode, run.seed, run.save_error->message);
    }
  }
  return text;
}

}  // namespace gradflip
