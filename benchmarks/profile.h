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

// Of all nodes of one operation.
struct OperationShare {
  std::string name;  // "augment"
  double seconds = 0.0, share = 0.0;
};

struct Profile {
  double step_seconds = 0.0;  // wall clock: on a CPU while it is profiled, on a GPU beside it
  int threads = 1;
  // Every node that runs, in order; the combination of the shards' sums, where there are shards;
  // and what is left: waiting, and the executor itself. Seconds sum to step_seconds * threads.
  std::vector<ProfileRow> rows;
  std::vector<OperationShare> operations;  // of those nodes, the longest first
};

// On the CPU runs steps for so many seconds and times each launch in them. On a GPU, after steps
// for so many seconds, each launch of one step is replaced by a recorded graph of many copies of
// it, replayed until the median is known: the step's state goes on as if the launch had been made
// so often, so give it a workload whose weights stay where they are (WorkloadOptions::still).
Profile profile(Workload& workload, const Context& context, int threads, Math precision,
                const Peaks& peaks, double seconds);

std::string table(const Profile& profile);
nlohmann::ordered_json to_json(const Profile& profile);

}  // namespace gradflip::bench
