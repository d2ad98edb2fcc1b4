#include "benchmarks/profile.h"

#include <fmt/format.h>

#include <chrono>

#include "benchmarks/step_cost.h"
#include "runtime/memory.h"

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
