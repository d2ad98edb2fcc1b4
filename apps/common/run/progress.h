// What a person sees while training runs, on stderr: one live line on a terminal, one plain line
// per epoch elsewhere. No colour is used, so NO_COLOR holds by itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "apps/common/report/run_result.h"

namespace gradflip {

struct ProgressState {
  std::string run;  // "dann seed 1"
  std::int64_t epoch = 0, epochs = 0;
  std::int64_t step = 0, steps = 0;
  std::vector<Reported> reported;  // by the method, in the epoch so far
  double images_per_second = 0.0;
  double seconds_left = 0.0;
  std::optional<double> source_test_accuracy, target_test_accuracy;  // when last measured
};

// One line of at most `width` characters, without a line break. Where not everything fits, the
// least important fields go first.
std::string progress_line(const ProgressState& state, int width);

// The plain line at the end of an epoch.
std::string epoch_line(const ProgressState& state, const EpochResult& result);

// The line at the end of a run.
std::string run_line(const ProgressState& state, const RunResult& result);

class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  // width: the terminal's, asked before every draw because a window can be resized. Empty: `out` is
  // not a terminal that can redraw a line.
  Progress(std::ostream& out, std::function<int()> width);
  // Ends a live line that is still open.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Redraws the live line, at most ten times a second.
  void update(const ProgressState& state, Clock::time_point now = Clock::now());
  void epoch_done(const ProgressState& state, const EpochResult& result);
  // The end of a run: its speed, and where its time went.
  void run_done(const ProgressState& state, const RunResult& result);
  // Leaves the live line as it is and goes on below it.
  void finish_line();
  // A line of its own, below a live line that may be open; names in it may hold line breaks and
  // commands for the terminal, which are shown as \x0a.
  void say(const std::string& line);

 private:
  void draw(const std::string& line);

  std::ostream& out_;
  std::function<int()> width_;
  std::optional<Clock::time_point> last_draw_;
  bool line_open_ = false;
};

// The width of the terminal at stderr; empty if stderr is none, or TERM says that it cannot redraw
// a line.
std::function<int()> stderr_width();

}  // namespace gradflip
