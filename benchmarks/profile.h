// Where a step's time goes, node by node.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "benchmarks/support/machine.h"
#include "benchmarks/workloads.h"

namespace gradflip::bench {

struct ProfileRow {
  std::string name;         // "conv_block feature_extractor.conv1"
  double seconds = 0.0;     // of one step, over all threads
  double share = 0.0;       // of the step's time on all threads
  double flops = 0.0;       // of one step: multiply-adds that may be other than zero, two for each
  double peak_share = 0.0;  // of one core's peak (of the GPU's), while it ran; 0 without flops
};

struct Profile {
  double step_seconds = 0.0;  // wall clock, profiled
  int threads = 1;
  // Every node that runs, in order; the combination of the shards' sums, where there are shards;
  // and what is left: waiting, and the executor itself. Seconds sum to step_seconds * threads.
  std::vector<ProfileRow> rows;
};

// Runs steps for so many seconds. Each launch is timed by itself, on a GPU from the launch until
// the device is done: kernels that would overlap or hide a launch do not.
Profile profile(Workload& workload, const Context& context, int threads, Math precision,
                const Peaks& peaks, double seconds);

std::string table(const Profile& profile);
nlohmann::ordered_json to_json(const Profile& profile);

}  // namespace gradflip::bench
