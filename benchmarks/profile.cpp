#include "benchmarks/profile.h"

#include <fmt/format.h>

#include <chrono>

#include "benchmarks/support/shapes.h"
#include "runtime/memory.h"
#include "runtime/op.h"

namespace gradflip::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Adds up what each worker spends on each node. A worker writes to memory of its own.
class LaunchTimes final : public LaunchObserver {
 public:
  LaunchTimes(const Context& context, int workers, std::size_t nodes)
      : context_(context), waited_for_(context, 1) {
    for (int worker = 0; worker < workers; ++worker) {
      workers_.push_back({{}, std::vector<double>(nodes + 1)});
    }
  }

  void before(int worker, std::int32_t /*node*/) override { at(worker).begin = Clock::now(); }

  void after(int worker, std::int32_t node) override {
    if (!std::holds_alternative<Cpu>(context_)) {
      std::byte one{};
      copy_to_host(context_, &one, waited_for_.data(), 1);  // what was enqueued before is done
    }
    at(worker).seconds[slot(node)] += seconds_since(at(worker).begin);
  }

  double seconds(std::int32_t node) const {
    double sum = 0.0;
    for (const Worker& worker : workers_) sum += worker.seconds[slot(node)];
    return sum;
  }

 private:
  struct alignas(64) Worker {
    Clock::time_point begin;
    std::vector<double> seconds;  // by node + 1: the first is the combination of sums
  };

  static std::size_t slot(std::int32_t node) { return static_cast<std::size_t>(node + 1); }
  Worker& at(int worker) { return workers_[static_cast<std::size_t>(worker)]; }

  Context context_;
  Buffer waited_for_;
  std::vector<Worker> workers_;
};

// Reads nodes: which layer one belongs to, and how much it computes.
class NodeReader {
 public:
  NodeReader(const Graph& graph, std::vector<std::int64_t> rows)
      : graph_(graph), rows_(std::move(rows)), shapes_(dann_shapes()) {}

  // "feature_extractor.conv1", or "" where a node has no parameters.
  std::string layer_of(const Node& node) const {
    std::string layers;
    const auto add = [&](std::int32_t parameter) {
      const std::string layer = layer_of(parameter);
      if (layers.find(layer) == std::string::npos) layers += (layers.empty() ? "" : ", ") + layer;
    };
    for (const std::vector<Value>* values : {&node.inputs, &node.outputs}) {
      for (const Value value : *values) {
        if (graph_.info(value).parameter >= 0) add(graph_.info(value).parameter);
      }
      if (!layers.empty()) break;
    }
    return layers;
  }

  double flops_of(const Node& node) const {
    const std::string_view op = node.op->name();
    if (op.starts_with("conv_block")) {
      const ConvBlockShape& shape = conv_layer(layer_of(node)).shape;
      // Of a pool window only the winner has a gradient.
      const auto window = static_cast<double>(shape.pool_h * shape.pool_w);
      return forward_flops(shape) * rows_of(node.inputs[0]) / (op == "conv_block" ? 1.0 : window);
    }
    if (op == "linear_backward_weight") {
      return 2.0 * rows_of(node.inputs[0]) * size_of(node.outputs[0]);
    }
    if (!op.starts_with("linear")) return 0.0;
    double flops = 0.0;  // of every (rows, weight) among the inputs
    for (std::size_t i = 0; i + 1 < node.inputs.size(); i += 2) {
      if (graph_.info(node.inputs[i + 1]).kind != ValueKind::kParameter) break;
      flops += 2.0 * rows_of(node.inputs[i]) * size_of(node.inputs[i + 1]);
    }
    return flops;
  }

 private:
  std::string layer_of(std::int32_t parameter) const {
    for (std::int32_t id = 0; id < graph_.num_values(); ++id) {
      const ValueInfo& info = graph_.info({id});
      if (info.kind == ValueKind::kParameter && info.parameter == parameter) {
        return info.name.substr(0, info.name.rfind('.'));
      }
    }
    return {};
  }

  const ConvLayer& conv_layer(const std::string& name) const {
    for (const ConvLayer& layer : shapes_.conv_layers) {
      if (name.ends_with("." + layer.name)) return layer;
    }
    throw std::logic_error("profile: no convolution block is called " + name);
  }

  double rows_of(Value value) const {
    std::int64_t rows = 0;
    for (std::size_t segment = 0; segment < rows_.size(); ++segment) {
      if (graph_.type(value).rows.contains_segment(static_cast<int>(segment))) {
        rows += rows_[segment];
      }
    }
    return static_cast<double>(rows);
  }
  double size_of(Value value) const { return static_cast<double>(graph_.type(value).shape.size()); }

  const Graph& graph_;
  std::vector<std::int64_t> rows_;
  DannShapes shapes_;
};

void add_rows(Profile& profile, const Workload& workload, const LaunchTimes& times, double steps,
              double peak) {
  const double all = profile.step_seconds * profile.threads;
  double rest = all;
  const auto add = [&](std::string name, double seconds, double flops) {
    rest -= seconds;
    profile.rows.push_back({std::move(name), seconds, seconds / all, flops,
                            seconds > 0.0 ? flops / seconds / peak : 0.0});
  };
  const NodeReader reader(workload.graph(), workload.rows());
  std::int32_t index = 0;
  for (const Node& node : workload.graph().nodes()) {
    const double seconds = times.seconds(index++) / steps;
    if (seconds == 0.0) continue;  // a view
    const std::string layer = reader.layer_of(node);
    add(std::string(node.op->name()) + (layer.empty() ? "" : " " + layer), seconds,
        reader.flops_of(node));
  }
  const double reduction = times.seconds(LaunchObserver::kReduction) / steps;
  if (reduction > 0.0) add("sums of shards", reduction, 0.0);
  add("waiting, and the rest", rest, 0.0);
}

}  // namespace

Profile profile(Workload& workload, const Context& context, int threads, Math precision,
                const Peaks& peaks, double seconds) {
  workload.run(10);  // caches and clocks
  LaunchTimes times(context, threads, workload.graph().nodes().size());
  workload.observe(&times);
  std::int64_t steps = 0;
  const Clock::time_point begin = Clock::now();
  double spent = 0.0;
  while (steps == 0 || spent < seconds) {
    workload.run(10);
    steps += 10;
    spent = seconds_since(begin);
  }
  workload.observe(nullptr);
  Profile profile;
  profile.step_seconds = spent / static_cast<double>(steps);
  profile.threads = std::holds_alternative<Cpu>(context) ? threads : 1;
  add_rows(profile, workload, times, static_cast<double>(steps), peak_flops(peaks, precision));
  return profile;
}

std::string table(const Profile& profile) {
  std::string text = fmt::format("{:<78} {:>10} {:>7} {:>9} {:>6}\n", "node", "us a step", "share",
                                 "GFLOP/s", "peak");
  for (const ProfileRow& row : profile.rows) {
    text +=
        fmt::format("{:<78} {:>10.1f} {:>5.1f} %", row.name, 1e6 * row.seconds, 100.0 * row.share);
    if (row.flops > 0.0) {
      text += fmt::format(" {:>9.0f} {:>4.0f} %", row.flops / row.seconds * 1e-9,
                          100.0 * row.peak_share);
    }
    text += '\n';
  }
  return text + fmt::format("a step of {:.1f} us on {} threads, each launch timed by itself\n",
                            1e6 * profile.step_seconds, profile.threads);
}

nlohmann::ordered_json to_json(const Profile& profile) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const ProfileRow& row : profile.rows) {
    rows.push_back({{"node", row.name},
                    {"us", 1e6 * row.seconds},
                    {"share", row.share},
                    {"gflops", row.flops > 0.0 ? row.flops / row.seconds * 1e-9 : 0.0},
                    {"peak_share", row.peak_share}});
  }
  return {{"step_us", 1e6 * profile.step_seconds}, {"threads", profile.threads}, {"rows", rows}};
}

}  // namespace gradflip::bench
