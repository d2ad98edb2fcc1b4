// What step_bench times: steps of a DANN, of source-only training, and inference, on pictures that
// lie in the device's memory as bytes. Sampling and normalising them is part of a step.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/math_mode.h"
#include "runtime/device.h"
#include "runtime/graph.h"
#include "runtime/launch_observer.h"

namespace gradflip::bench {

struct WorkloadOptions {
  std::int64_t batch = 128;  // images per step; a DANN takes half from each domain
  int threads = 1;
  Math precision = Math::kF32;
  std::string preset = "paper";  // recipe and network
  bool still = false;  // updates leave the weights as they are, however often they are repeated
};

class Workload {
 public:
  Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;
  virtual ~Workload() = default;

  virtual std::int64_t images_per_step() const = 0;
  // Complete when it returns.
  virtual void run(std::int64_t steps) = 0;
  // What a step is made of, the rows of each segment in it, and someone to tell of its launches.
  virtual const Graph& graph() const = 0;
  virtual std::vector<std::int64_t> rows() const = 0;
  virtual void observe(LaunchObserver* observer) = 0;
};

std::unique_ptr<Workload> dann_workload(const WorkloadOptions& options, const Device& device);
std::unique_ptr<Workload> source_only_workload(const WorkloadOptions& options,
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
