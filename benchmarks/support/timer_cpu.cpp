#include <algorithm>
#include <chrono>
#include <cmath>

#include "benchmarks/support/timer.h"

namespace gradflip::bench {
namespace {

// A call of the clock takes some 25 ns: a thousandth of this.
constexpr double kSampleSeconds = 50e-6;

class CpuTimer : public Timer {
 public:
  explicit CpuTimer(std::vector<Operation> rotation) : rotation_(std::move(rotation)) {
    calls_ = static_cast<int>(rotation_.size());
    (void)sample();  // page faults, and the choice of an instruction set
    const double seconds = sample().seconds;
    const double rounds = std::ceil(kSampleSeconds / std::max(seconds, 1e-9));
    calls_ *= static_cast<int>(std::clamp(rounds, 1.0, 1e5));
  }

  Sample sample() override {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    for (int call = 0; call < calls_; ++call) {
      rotation_[next_]();
      next_ = (next_ + 1) % rotation_.size();
    }
    return {std::chrono::duration<double>(Clock::now() - begin).count(), calls_};
  }

 private:
  std::vector<Operation> rotation_;
  std::size_t next_ = 0;
  int calls_ = 1;
};

}  // namespace

std::unique_ptr<Timer> start_timer(Cpu /*ctx*/, std::vector<Operation> rotation) {
  return std::make_unique<CpuTimer>(std::move(rotation));
}

}  // namespace gradflip::bench
