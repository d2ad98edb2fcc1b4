// What step_bench times: training steps of a method, and inference, on pictures that lie in the
// device's memory as bytes. Sampling, changing and normalising them is part of a step.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/method.h"
#include "models/recipe.h"
#include "runtime/device.h"
#include "runtime/graph.h"
#include "runtime/launch_observer.h"

namespace gradflip::bench {

struct WorkloadOptions {
  Recipe recipe;  // as it is at a run's first step, with a constant learning rate, and lambda at .1
  int threads = 1;
  bool still = false;  // updates leave the weights as they are, however often they are repeated
};

class Workload {
 public:
  Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;
  virtual ~Workload() = default;

  virtual std::int64_t images_per_step() const = 0;  // through the feature extractor
  // Complete when it returns.
  virtual void run(std::int64_t steps) = 0;
  // What a step is made of, the rows of each segment in it, and someone to tell of its launches.
  virtual const Graph& graph() const = 0;
  virtual std::vector<std::int64_t> rows() const = 0;
  virtual void observe(LaunchObserver* observer) = 0;
};

// Of a method whose steps, all alike, are one update.
std::unique_ptr<Workload> training_workload(const Method& method, const WorkloadOptions& options,
                                            const Device& device);
std::unique_ptr<Workload> inference_workload(const WorkloadOptions& options, const Device& device);

// Images per second over several windows.
struct Throughput {
  double median = 0.0, min = 0.0, max = 0.0;
  int windows = 0;
};

struct Comparison {
  std::vector<Throughput> throughputs;  // one for each workload
  // The first workload's images/s over the last one's: the median of the ratios of neighbouring
  // windows, so that whatever else the machine does hits both alike.
  double ratio = 1.0;
};

// Warms each up, then gives them windows in turns for so many seconds in all.
Comparison measure(const std::vector<Workload*>& workloads, double seconds);

}  // namespace gradflip::bench
