// What a step costs on paper, kernel by kernel, computed from its graph: operations, bytes, and the
// least time that a GPU could take for them. Needs no GPU.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "kernels/math_mode.h"
#include "models/method.h"
#include "models/recipe.h"
#include "runtime/graph.h"
#include "runtime/op.h"
#include "runtime/unfused.h"

namespace gradflip::bench {

// Of one node with these rows in each segment.
OpCost cost_of(const Graph& graph, const Node& node, std::span<const std::int64_t> rows);
// Its op and the layers whose parameters it reads or whose gradients it writes.
std::string label_of(const Graph& graph, const Node& node);

// What a GPU can do at most, per second.
struct DeviceModel {
  std::string name;
  double f32 = 0.0, tf32 = 0.0, bf16 = 0.0;  // operations
  double bytes = 0.0;                        // of device memory

  double flops(Math math) const;
};
// "h100" (SXM) or "h200"; throws UsageError for another name.
DeviceModel device_model(const std::string& name);

// From the end of one small kernel of a captured graph to the end of the next.
inline constexpr double kLaunchSeconds = 2.5e-6;

struct StepCost {
  struct Row {
    std::string name;
    OpCost cost;
    double compute_seconds = 0.0, memory_seconds = 0.0;
    double least_seconds = 0.0;  // the larger of the two, and at least kLaunchSeconds
  };
  std::vector<Row> rows;  // one for every node, which is a launch or more (docs/architecture.md)
  double least_seconds = 0.0;
  std::int64_t images = 0;
  std::vector<Unfused> not_fused;  // what could have been fewer launches
};

// Of a training step of the recipe's network as a GPU runs it: all updates of the method's last
// stage. One that does not read the target draws all pictures from the source.
StepCost step_cost(const Recipe& recipe, const Method& method, const DeviceModel& device);

std::string table(const StepCost& cost);
nlohmann::ordered_json to_json(const StepCost& cost);

}  // namespace gradflip::bench
