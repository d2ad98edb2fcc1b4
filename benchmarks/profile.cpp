#include "benchmarks/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "benchmarks/step_cost.h"
#include "benchmarks/support/timer.h"

namespace gradflip::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kStepsAtOnce = 16;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// What each node takes, and the combination of sums.
class LaunchTimes : public LaunchObserver {
 public:
  // Of all steps, and of all workers.
  virtual double seconds(std::int32_t node) const = 0;
};

std::size_t slot(std::int32_t node) { return static_cast<std::size_t>(node + 1); }

// On the CPU: adds up what each worker spends on each node. A worker writes to memory of its own.
class WorkerTimes final : public LaunchTimes {
 public:
  WorkerTimes(int workers, std::size_t nodes)
      : workers_(static_cast<std::size_t>(workers), Worker{std::vector<double>(nodes + 1)}) {}

  void around(int worker, std::int32_t node, const std::function<void()>& work) override {
    const Clock::time_point begin = Clock::now();
    work();
    workers_[static_cast<std::size_t>(worker)].seconds[slot(node)] += seconds_since(begin);
  }

  double seconds(std::int32_t node) const override {
    double sum = 0.0;
    for (const Worker& worker : workers_) sum += worker.seconds[slot(node)];
    return sum;
  }

 private:
  struct alignas(64) Worker {
    std::vector<double> seconds;  // by slot
  };
  std::vector<Worker> workers_;
};

// On a GPU: a graph of many copies of a launch, replayed where the step has it. Waiting for each
// launch instead would add more than most of them take.
class ReplayTimes final : public LaunchTimes {
 public:
  ReplayTimes(const Context& context, std::size_t nodes) : context_(context), medians_(nodes + 1) {}

  void around(int /*worker*/, std::int32_t node, const std::function<void()>& work) override {
    const std::unique_ptr<Timer> timer =
        std::visit([&](auto ctx) { return start_timer(ctx, {work}); }, context_);
    std::vector<double> seconds;
    for (int sample = 0; sample < kSamples; ++sample) {
      const Sample one = timer->sample();
      seconds.push_back(one.seconds / one.calls);
    }
    std::nth_element(seconds.begin(), seconds.begin() + kSamples / 2, seconds.end());
    medians_[slot(node)] = seconds[kSamples / 2];
  }

  double seconds(std::int32_t node) const override { return medians_[slot(node)]; }

 private:
  static constexpr int kSamples = 31;

  Context context_;
  std::vector<double> medians_;  // by slot
};

void add_to_operation(Profile& profile, std::string_view name, double seconds, double share) {
  std::vector<OperationShare>& all = profile.operations;
  auto of_name = std::find_if(all.begin(), all.end(),
                              [&](const OperationShare& one) { return one.name == name; });
  if (of_name == all.end()) of_name = all.insert(all.end(), {std::string(name)});
  of_name->seconds += seconds;
  of_name->share += share;
}

void add_rows(Profile& profile, const Workload& workload, const LaunchTimes& times, double steps,
              double peak) {
  const double all = profile.step_seconds * profile.threads;
  double rest = all;
  const auto add = [&](std::string name, double seconds, double flops) {
    rest -= seconds;
    profile.rows.push_back({std::move(name), seconds, seconds / all, flops,
                            seconds > 0.0 ? flops / seconds / peak : 0.0});
  };
  const Graph& graph = workload.graph();
  const std::vector<std::int64_t> batch = workload.rows();
  std::int32_t index = 0;
  for (const Node& node : graph.nodes()) {
    const double seconds = times.seconds(index++) / steps;
    if (seconds == 0.0) continue;  // a view
    add(label_of(graph, node), seconds, cost_of(graph, node, batch).nonzero_flops);
    add_to_operation(profile, node.op->name(), seconds, seconds / all);
  }
  std::stable_sort(
      profile.operations.begin(), profile.operations.end(),
      [](const OperationShare& a, const OperationShare& b) { return a.seconds > b.seconds; });
  const double reduction = times.seconds(LaunchObserver::kReduction) / steps;
  if (reduction > 0.0) add("sums of shards", reduction, 0.0);
  add("waiting, and the rest", rest, 0.0);
}

// Runs steps for so long; returns how many.
std::int64_t run_for(Workload& workload, double seconds) {
  std::int64_t steps = 0;
  const Clock::time_point begin = Clock::now();
  while (steps == 0 || seconds_since(begin) < seconds) {
    workload.run(kStepsAtOnce);
    steps += kStepsAtOnce;
  }
  return steps;
}

}  // namespace

Profile profile(Workload& workload, const Context& context, int threads, Math precision,
                const Peaks& peaks, double seconds) {
  const bool on_cpu = std::holds_alternative<Cpu>(context);
  const std::size_t nodes = workload.graph().nodes().size();
  std::unique_ptr<LaunchTimes> times;
  if (on_cpu) {
    times = std::make_unique<WorkerTimes>(threads, nodes);
  } else {
    times = std::make_unique<ReplayTimes>(context, nodes);
  }
  workload.run(kStepsAtOnce);  // caches and clocks
  if (on_cpu) workload.observe(times.get());
  const Clock::time_point begin = Clock::now();
  const std::int64_t steps = run_for(workload, seconds);
  Profile profile;
  profile.step_seconds = seconds_since(begin) / static_cast<double>(steps);
  profile.threads = on_cpu ? threads : 1;
  if (!on_cpu) {
    workload.observe(times.get());
    workload.run(1);
  }
  workload.observe(nullptr);
  add_rows(profile, workload, *times, on_cpu ? static_cast<double>(steps) : 1.0,
           peak_flops(peaks, precision));
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
  text += fmt::format("{:<78} {:>10} {:>7}\n", "all nodes of an operation", "us a step", "share");
  for (const OperationShare& one : profile.operations) {
    text += fmt::format("{:<78} {:>10.1f} {:>5.1f} %\n", one.name, 1e6 * one.seconds,
                        100.0 * one.share);
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
  nlohmann::ordered_json operations = nlohmann::ordered_json::object();
  for (const OperationShare& one : profile.operations) {
    operations[one.name] = {{"us", 1e6 * one.seconds}, {"share", one.share}};
  }
  return {{"step_us", 1e6 * profile.step_seconds},
          {"threads", profile.threads},
          {"rows", rows},
          {"operations", operations}};
}

}  // namespace gradflip::bench
