#include "benchmarks/support/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "models/options.h"

namespace gradflip::bench {
namespace {

constexpr int kFewestSamples = 30;
// An operation so slow that this many samples take longer is timed less often, but a few times.
constexpr double kLongestSeconds = 2.0;
constexpr int kFewestSlowSamples = 5;
constexpr double kWarmupSeconds = 0.05;
// With --cold: so many times the cache's size pass between two uses of the same memory.
constexpr double kCacheFactor = 2.0;
constexpr double kMostCopies = 64.0;

std::string backend_name(const Context& context) {
  return std::holds_alternative<Cpu>(context) ? "cpu" : "cuda";
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

// Prints a row when Google Benchmark reports that its case is done.
class Runner::Reporter : public benchmark::BenchmarkReporter {
 public:
  Reporter(Runner& runner, std::ostream& out, const std::function<void()>& keep)
      : runner_(runner), out_(out), keep_(keep) {}

  bool ReportContext(const Context& /*context*/) override {
    out_ << table_header() << '\n';
    return true;
  }
  void ReportRuns(const std::vector<Run>& /*runs*/) override {
    runner_.rows_.push_back(runner_.latest_);
    out_ << table_line(runner_.latest_) << std::endl;
    keep_();
  }

 private:
  Runner& runner_;
  std::ostream& out_;
  const std::function<void()>& keep_;
};

Runner::Runner(const Suite& suite, const Peaks& peaks, const RunnerOptions& options)
    : suite_(suite), peaks_(peaks), options_(options) {
  for (const Case& one : suite_.cases) {
    benchmark::RegisterBenchmark(full_name(one).c_str(), [this, &one](benchmark::State& state) {
      run_case(one, state);
    })->UseManualTime();
  }
}

Runner::~Runner() = default;

void Runner::run(std::ostream& out, const std::function<void()>& keep) {
  Reporter reporter(*this, out, keep);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  timer_.reset();
}

void Runner::check(const Case& one) {
  if (!options_.check || !one.check) return;
  const std::string key = one.op + one.shape + name_of(one.math) + one.library;
  if (checked_.contains(key)) return;
  const std::string difference = one.check();
  if (!difference.empty()) throw std::runtime_error("WRONG: " + difference);
  checked_.insert(key);
}

void Runner::prepare(const Case& one) {
  if (prepared_ == &one) return;
  prepared_ = nullptr;
  timer_.reset();
  std::size_t copies = 1;
  if (options_.cold) {
    const double cache = kCacheFactor * static_cast<double>(peaks_.cache_bytes);
    copies = static_cast<std::size_t>(
        std::clamp(std::ceil(cache / std::max(one.work.bytes, 1.0)), 1.0, kMostCopies));
  }
  std::vector<Operation> rotation;
  for (std::size_t copy = 0; copy < copies; ++copy) rotation.push_back(one.prepare());
  timer_ =
      std::visit([&](auto ctx) { return start_timer(ctx, std::move(rotation)); }, suite_.context);
  for (double spent = 0.0; spent < kWarmupSeconds;) spent += timer_->sample().seconds;
  prepared_ = &one;
}

Row Runner::row_of(const Case& one) const {
  Row row;
  row.op = one.op;
  row.shape = one.shape;
  row.library = one.library;
  row.batch = one.batch;
  row.math = one.math;
  row.backend = backend_name(suite_.context);
  row.work = one.work;
  row.bound = bound_of(one.work, one.math, peaks_);
  return row;
}

void Runner::run_case(const Case& one, benchmark::State& state) {
  latest_ = row_of(one);
  try {
    check(one);
    prepare(one);
    std::vector<double> seconds;
    double total = 0.0;
    const auto take_sample = [&] {
      const Sample sample = timer_->sample();
      seconds.push_back(sample.seconds / sample.calls);
      total += sample.seconds;
      return sample.seconds;
    };
    for (auto _ : state) state.SetIterationTime(take_sample());
    const auto enough = [&] {
      const auto samples = static_cast<int>(seconds.size());
      return samples >= kFewestSamples ||
             (total > kLongestSeconds && samples >= kFewestSlowSamples);
    };
    while (!enough()) take_sample();
    latest_.median_seconds = median(seconds);
    latest_.min_seconds = *std::min_element(seconds.begin(), seconds.end());
    latest_.samples = static_cast<int>(seconds.size());
  } catch (const NotSupported& reason) {
    latest_.error = fmt::format("{} does not do this: {}", one.library, reason.what());
    state.SkipWithError(latest_.error.c_str());
  } catch (const std::exception& error) {
    latest_.error = error.what();
    ++failures_;
    state.SkipWithError(latest_.error.c_str());
  }
}

}  // namespace gradflip::bench
