// Runs the cases of a suite under Google Benchmark, which picks them by --benchmark_filter, lists
// them and decides how long each is run; and collects the rows.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "benchmarks/support/machine.h"
#include "benchmarks/support/report.h"
#include "benchmarks/support/suite.h"
#include "benchmarks/support/timer.h"

namespace gradflip::bench {

// Thrown by a yardstick for what its library cannot do: no row, and no failure of ours.
struct NotSupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct RunnerOptions {
  bool cold = false;  // every call finds its data outside of the caches
  bool check = true;
};

class Runner {
 public:
  // The suite must outlive the runner.
  Runner(const Suite& suite, const Peaks& peaks, const RunnerOptions& options);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Runs what the filter picks and prints each row, once it is there, to `out`; then calls `keep`,
  // as the next one may not come to an end.
  void run(std::ostream& out, const std::function<void()>& keep);

  const std::vector<Row>& rows() const { return rows_; }
  // Rows whose result was wrong, or that threw.
  int failures() const { return failures_; }

 private:
  class Reporter;

  void run_case(const Case& one, benchmark::State& state);
  void check(const Case& one);
  void prepare(const Case& one);
  Row row_of(const Case& one) const;

  const Suite& suite_;
  Peaks peaks_;
  RunnerOptions options_;
  std::set<std::string> checked_;
  // Google Benchmark calls a case several times: its memory and timer stay until the next case.
  const Case* prepared_ = nullptr;
  std::unique_ptr<Timer> timer_;
  Row latest_;
  std::vector<Row> rows_;
  int failures_ = 0;
};

}  // namespace gradflip::bench
