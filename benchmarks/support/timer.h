// Time of one call of an operation, in samples of several calls: steady_clock on the CPU; on CUDA
// events around a replayed graph of the calls, so that the host's launches are not what is timed.
#pragma once

#include <memory>
#include <vector>

#include "benchmarks/support/suite.h"

namespace gradflip::bench {

struct Sample {
  double seconds = 0.0;  // of all its calls
  int calls = 0;
};

class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() = default;

  virtual Sample sample() = 0;
};

// Warms up, and finds how many calls make a sample long enough for the clock. Successive calls go
// through `rotation`, whose members do the same on memory of their own: one for warm caches, more
// than the caches hold for cold ones.
std::unique_ptr<Timer> start_timer(Cpu ctx, std::vector<Operation> rotation);
std::unique_ptr<Timer> start_timer(Cuda ctx, std::vector<Operation> rotation);

}  // namespace gradflip::bench
