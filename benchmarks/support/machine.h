// What the machine can do at most, measured at the start of a run: the peaks that a row's share is
// of.
#pragma once

#include <array>
#include <nlohmann/json.hpp>

#include "benchmarks/support/suite.h"

namespace gradflip::bench {

struct Peaks {
  std::array<double, kNumMaths> flops{};  // per second, by Math
  double copy_bytes = 0.0;       // per second, read and written together, arrays far beyond caches
  std::int64_t cache_bytes = 0;  // of the last cache level that kernels share
  int cores = 1;                 // that `flops` and copy_bytes are of
};

inline double peak_flops(const Peaks& peaks, Math math) {
  return peaks.flops[static_cast<std::size_t>(math)];
}

// Of one core, on which CPU kernels run: FMA and products of bf16 pairs on independent registers,
// and memcpy.
Peaks measure_peaks(Cpu ctx);
// Of the whole GPU: FFMA and mma.sync on independent registers, and a copy. wgmma, which vendor
// libraries use on sm_90, reaches more.
Peaks measure_peaks(Cuda ctx);

// Of `threads` cores at once.
Peaks measure_cpu_peaks(int threads);

// The least time that the work takes at the peaks, and which of them decides.
struct Bound {
  double seconds = 0.0;
  bool memory = false;
};
Bound bound_of(const Work& work, Math math, const Peaks& peaks);

nlohmann::ordered_json to_json(const Peaks& peaks);

}  // namespace gradflip::bench
