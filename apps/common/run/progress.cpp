#include "apps/common/run/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <string_view>
#include <vector>

#include "apps/common/report/reported_text.h"
#include "apps/common/shown.h"

namespace gradflip {
namespace {

constexpr auto kRedrawInterval = std::chrono::milliseconds(100);
constexpr const char* kEraseToLineEnd = "\x1b[K";
constexpr std::string_view kGap = "  ";

// The highest goes first when the line is too long; of fields with the same, the one further right.
enum class Rank { kRun, kEpoch, kTarget, kRest, kMean, kSource, kSpeed, kStep, kSchedule };

struct Field {
  std::string text;
  Rank rank;
};

std::string rate(double images_per_second) {
  if (images_per_second >= 1e6) return fmt::format("{:.2f}M img/s", images_per_second / 1e6);
  if (images_per_second >= 1e4) return fmt::format("{:.1f}k img/s", images_per_second / 1e3);
  return fmt::format("{:.0f} img/s", images_per_second);
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0.0) return "-:--:--";
  const auto total = static_cast<std::int64_t>(std::ceil(std::min(seconds, 1e9)));
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

std::vector<Field> fields_of(const ProgressState& state) {
  std::vector<Field> fields;
  const auto percent = [&](const char* what, const std::optional<double>& accuracy, Rank rank) {
    if (accuracy) fields.push_back({fmt::format("{} {:.1f} %", what, 100.0 * *accuracy), rank});
  };
  fields.push_back({state.run, Rank::kRun});
  fields.push_back({fmt::format("epoch {}/{}", state.epoch, state.epochs), Rank::kEpoch});
  percent("source test", state.source_test_accuracy, Rank::kSource);
  percent("target test", state.target_test_accuracy, Rank::kTarget);
  fields.push_back({fmt::format("step {}/{}", state.step, state.steps), Rank::kStep});
  for (const Reported& each : state.reported) {
    fields.push_back({short_text(each), each.last ? Rank::kSchedule : Rank::kMean});
  }
  fields.push_back({rate(state.images_per_second), Rank::kSpeed});
  fields.push_back({"ETA " + duration(state.seconds_left), Rank::kRest});
  return fields;
}

std::size_t length_of(const std::vector<Field>& fields) {
  std::size_t length = 0;
  for (const Field& field : fields) {
    length += field.text.size() + (length > 0 ? kGap.size() : 0);
  }
  return length;
}

std::string joined(const std::vector<Field>& fields) {
  std::string line;
  for (const Field& field : fields) {
    if (!line.empty()) line += kGap;
    line += field.text;
  }
  return line;
}

}  // namespace

std::string progress_line(const ProgressState& state, int width) {
  const auto limit = static_cast<std::size_t>(std::max(width, 0));
  std::vector<Field> fields = fields_of(state);
  while (fields.size() > 1 && length_of(fields) > limit) {
    const auto least =
        std::max_element(fields.rbegin(), fields.rend(),
                         [](const Field& a, const Field& b) { return a.rank < b.rank; });
    fields.erase(std::next(least).base());
  }
  return joined(fields).substr(0, limit);
}

std::string epoch_line(const ProgressState& state, const EpochResult& result) {
  std::string line = fmt::format("{}  epoch {}/{}  step {}/{}", state.run, result.epoch,
                                 state.epochs, result.steps, state.steps);
  for (const Reported& each : result.reported) line += "  " + full_text(each);
  line += fmt::format("  source test {:.2f} %", 100.0 * result.source_test_accuracy);
  if (result.target_test_accuracy) {
    line += fmt::format("  target test {:.2f} %", 100.0 * *result.target_test_accuracy);
  }
  return line +
         fmt::format("  {}  ETA {}", rate(state.images_per_second), duration(state.seconds_left));
}

std::string run_line(const ProgressState& state, const RunResult& result) {
  return fmt::format("{}  {}  {:.2f} s a source epoch  {}", state.run,
                     rate(result.images_per_second), result.seconds_per_source_epoch(),
                     text_of(result.wall_time()));
}

Progress::Progress(std::ostream& out, std::function<int()> width)
    : out_(out), width_(std::move(width)) {}

Progress::~Progress() { finish_line(); }

void Progress::update(const ProgressState& state, Clock::time_point now) {
  if (!width_ || (last_draw_ && now - *last_draw_ < kRedrawInterval)) return;
  last_draw_ = now;
  // One column stays free: many terminals wrap as soon as the last one is written.
  draw(progress_line(state, width_() - 1));
}

void Progress::epoch_done(const ProgressState& state, const EpochResult& result) {
  if (!width_) {
    out_ << epoch_line(state, result) << '\n' << std::flush;
    return;
  }
  last_draw_.reset();  // what was just measured is shown at once
  update(state);
}

void Progress::run_done(const ProgressState& state, const RunResult& result) {
  say(run_line(state, result));
}

void Progress::say(const std::string& line) {
  finish_line();
  out_ << without_controls(line) << '\n' << std::flush;
}

void Progress::finish_line() {
  if (line_open_) out_ << '\n' << std::flush;
  line_open_ = false;
  last_draw_.reset();
}

void Progress::draw(const std::string& line) {
  out_ << '\r' << line << kEraseToLineEnd << std::flush;
  line_open_ = true;
}

std::function<int()> stderr_width() {
  const char* terminal = std::getenv("TERM");
  const bool redraws =
      terminal != nullptr && *terminal != '\0' && std::string_view(terminal) != "dumb";
  if (!redraws || isatty(STDERR_FILENO) == 0) return {};
  return [] {
    constexpr int kUsualWidth = 80;
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualWidth;
    return static_cast<int>(size.ws_col);
  };
}

}  // namespace gradflip
