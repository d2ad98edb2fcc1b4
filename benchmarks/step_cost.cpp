#include "benchmarks/step_cost.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/common/usage_error.h"
#include "benchmarks/not_fused.h"
#include "benchmarks/support/paper_network.h"
#include "runtime/compile.h"

namespace gradflip::bench {
namespace {

std::vector<TensorView> views_of(const Graph& graph, std::span<const Value> values,
                                 std::span<const std::int64_t> rows) {
  std::vector<TensorView> views;
  for (const Value value : values) {
    const ValueType& type = graph.type(value);
    std::int64_t count = type.rows.none() ? 1 : 0;
    for (std::size_t segment = 0; segment < rows.size(); ++segment) {
      if (type.rows.contains_segment(static_cast<int>(segment))) count += rows[segment];
    }
    views.push_back({nullptr, type.dtype, count, type.shape});
  }
  return views;
}

// "feature_extractor.conv1" of a parameter, whether it is read or its gradient written.
std::string layer_of(const Graph& graph, std::int32_t parameter) {
  for (std::int32_t id = 0; id < graph.num_values(); ++id) {
    const ValueInfo& info = graph.info({id});
    if (info.kind == ValueKind::kParameter && info.parameter == parameter) {
      return info.name.substr(0, info.name.rfind('.'));
    }
  }
  return {};
}

}  // namespace

OpCost cost_of(const Graph& graph, const Node& node, std::span<const std::int64_t> rows) {
  return node.op->cost(views_of(graph, node.inputs, rows), views_of(graph, node.outputs, rows));
}

std::string label_of(const Graph& graph, const Node& node) {
  std::vector<std::string> layers;
  for (const std::vector<Value>* values : {&node.inputs, &node.outputs}) {
    if (!layers.empty() || node.op->updates_state()) break;
    for (const Value value : *values) {
      const std::int32_t parameter = graph.info(value).parameter;
      if (parameter < 0) continue;
      const std::string layer = layer_of(graph, parameter);
      if (std::find(layers.begin(), layers.end(), layer) == layers.end()) layers.push_back(layer);
    }
  }
  // More than two are all layers of some networks, not a name.
  const std::string name(node.op->name());
  if (layers.size() > 2) return fmt::format("{} ({} layers)", name, layers.size());
  return layers.empty() ? name : fmt::format("{} {}", name, fmt::join(layers, ", "));
}

double DeviceModel::flops(Math math) const {
  switch (math) {
    case Math::kF32:
      return f32;
    case Math::kTf32:
      return tf32;
    case Math::kBf16:
      return bf16;
    case Math::kTf32x3:
      return tf32 / 3.0;
  }
  return f32;
}

DeviceModel device_model(const std::string& name) {
  // NVIDIA's data sheets, dense; of the H200 a copy and a large bf16 product as measured in
  // 2026-11.
  if (name == "h100") return {"H100 SXM", 67e12, 495e12, 989e12, 3.35e12};
  if (name == "h200") return {"H200", 67e12, 495e12, 790e12, 4.3e12};
  throw UsageError("--cost: there is no model of \"" + name + "\"; choose h100 or h200");
}

namespace {

// A row for every node of the graph that launches something.
void append_rows(const Graph& graph, std::span<const std::int64_t> rows, Math precision,
                 const DeviceModel& device, StepCost& cost) {
  for (const Node& node : graph.nodes()) {
    if (node.op->view()) continue;
    StepCost::Row row{.name = label_of(graph, node), .cost = cost_of(graph, node, rows)};
    row.compute_seconds = row.cost.flops / device.flops(precision);
    row.memory_seconds = row.cost.bytes / device.bytes;
    row.least_seconds = std::max({kLaunchSeconds, row.compute_seconds, row.memory_seconds});
    cost.least_seconds += row.least_seconds;
    cost.rows.push_back(std::move(row));
  }
}

}  // namespace

StepCost step_cost(const Recipe& recipe, const Method& method, const DeviceModel& device) {
  constexpr std::int64_t kPictures = 60'000;  // of MNIST; no cost depends on it
  Parameters parameters;
  const std::vector<WrittenUpdate> updates =
      last_stage(method, with_all_pictures(recipe, method), kPictures, parameters);
  StepCost cost;
  for (const WrittenUpdate& update : updates) {
    const Graph graph = compile(update.draft, parameters,
                                {.whole_batch = true,
                                 .record_capacity = 64,
                                 .advance = &update == &updates.back() && update.times == 1})
                            .graph;
    const std::string whose = updates.size() == 1 ? "" : update.draft.name + ": ";
    for (const Unfused& left : unfused(graph, /*whole_batch=*/true)) {
      cost.not_fused.push_back({whose + left.what, left.why});
    }
    cost.images += update.images;
    for (int time = 0; time < update.times; ++time) {
      append_rows(graph, update.rows, recipe.training.precision, device, cost);
    }
  }
  return cost;
}

std::string table(const StepCost& cost) {
  std::string text = fmt::format("{:<58} {:>8} {:>8} {:>11} {:>10} {:>9}\n", "kernel", "GFLOP",
                                 "MB", "compute us", "memory us", "least us");
  for (const StepCost::Row& row : cost.rows) {
    text += fmt::format("{:<58} {:>8.4f} {:>8.3f} {:>11.2f} {:>10.2f} {:>9.2f}\n", row.name,
                        row.cost.flops * 1e-9, row.cost.bytes * 1e-6, 1e6 * row.compute_seconds,
                        1e6 * row.memory_seconds, 1e6 * row.least_seconds);
  }
  return text +
         fmt::format("{} launches or more, at least {:.1f} us a step: at most {:.2f} M images/s\n",
                     cost.rows.size(), 1e6 * cost.least_seconds,
                     static_cast<double>(cost.images) / cost.least_seconds * 1e-6) +
         not_fused_text(cost.not_fused);
}

nlohmann::ordered_json to_json(const StepCost& cost) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const StepCost::Row& row : cost.rows) {
    rows.push_back({{"kernel", row.name},
                    {"gflop", row.cost.flops * 1e-9},
                    {"mb", row.cost.bytes * 1e-6},
                    {"compute_us", 1e6 * row.compute_seconds},
                    {"memory_us", 1e6 * row.memory_seconds},
                    {"least_us", 1e6 * row.least_seconds}});
  }
  return {{"launches", cost.rows.size()},
          {"least_us", 1e6 * cost.least_seconds},
          {"images_per_second_at_most", static_cast<double>(cost.images) / cost.least_seconds},
          {"kernels", rows},
          {"not_fused", not_fused_json(cost.not_fused)}};
}

}  // namespace gradflip::bench
