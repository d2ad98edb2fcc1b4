#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "benchmarks/support/bf16_loop.h"
#include "benchmarks/support/fma_loop.h"
#include "benchmarks/support/machine.h"

namespace gradflip::bench {
namespace {

using Clock = std::chrono::steady_clock;

// The best of many short windows: a peak is what the machine can do, not what others leave of it.
constexpr int kWindows = 64;
constexpr std::int64_t kRounds = 500'000;                    // some 2 ms
constexpr std::size_t kCopyBytes = std::size_t{512} << 20U;  // read and written alike, once

struct Rates {
  double flops = 0.0, bf16_flops = 0.0, copy_bytes = 0.0;
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// All threads run each window together; the slowest decides.
class PeakWindows {
 public:
  explicit PeakWindows(int threads)
      : threads_(threads), together_(threads), seconds_(static_cast<std::size_t>(threads)) {}

  Rates measure() {
    std::vector<std::thread> others;
    for (int thread = 1; thread < threads_; ++thread) {
      others.emplace_back([this, thread] { run(thread); });
    }
    run(0);
    for (std::thread& other : others) other.join();
    return best_;
  }

 private:
  void run(int thread) {
    float values[3] = {1.0F, 0.999F, 0.001F};
    for (int window = 0; window < kWindows; ++window) {
      together_.arrive_and_wait();
      const Clock::time_point begin = Clock::now();
      const double flops = fma_loop(kRounds, values);
      note(thread, seconds_since(begin), flops, best_.flops);
      together_.arrive_and_wait();
      const Clock::time_point begin_bf16 = Clock::now();
      const double bf16_flops = bf16_loop(kRounds / 2, values);
      note(thread, seconds_since(begin_bf16), bf16_flops, best_.bf16_flops);
    }
    const std::size_t piece = kCopyBytes / kWindows / static_cast<std::size_t>(threads_);
    const std::vector<char> from(piece * kWindows, 1);
    std::vector<char> to(piece * kWindows, 2);
    for (int window = 0; window < kWindows; ++window) {
      const std::size_t begin_at = piece * static_cast<std::size_t>(window);
      together_.arrive_and_wait();
      const Clock::time_point begin = Clock::now();
      std::memcpy(to.data() + begin_at, from.data() + begin_at, piece);
      note(thread, seconds_since(begin), 2.0 * static_cast<double>(piece), best_.copy_bytes);
    }
  }

  void note(int thread, double seconds, double amount, double& best) {
    seconds_[static_cast<std::size_t>(thread)] = seconds;
    together_.arrive_and_wait();
    if (thread != 0) return;
    const double slowest = *std::max_element(seconds_.begin(), seconds_.end());
    best = std::max(best, amount * threads_ / slowest);
  }

  int threads_;
  std::barrier<> together_;
  std::vector<double> seconds_;
  Rates best_;
};

}  // namespace

Peaks measure_cpu_peaks(int threads) {
  const Rates rates = PeakWindows(threads).measure();
  Peaks peaks;
  // What a mode allows and this processor does not have is computed in f32.
  peaks.flops.fill(rates.flops);
  if (rates.bf16_flops > 0.0) {
    peaks.flops[static_cast<std::size_t>(Math::kBf16)] = rates.bf16_flops;
  }
  peaks.copy_bytes = rates.copy_bytes;
  peaks.cache_bytes =
      std::max<std::int64_t>(sysconf(_SC_LEVEL2_CACHE_SIZE), std::int64_t{1} << 20U);
  peaks.cores = threads;
  return peaks;
}

Peaks measure_peaks(Cpu /*ctx*/) { return measure_cpu_peaks(1); }

}  // namespace gradflip::bench
