#include "runtime/ops/running_update.h"

#include <algorithm>
#include <array>

#include "kernels/finite_guard.h"
#include "kernels/moments.h"
#include "runtime/op.h"

namespace gradflip::ops {
namespace {

// Inputs: weights, guard and times where there are any, then the moments.
class RunningUpdateOp final : public Op {
 public:
  RunningUpdateOp(const RunningUpdate& update, std::vector<RunningStatistics> statistics)
      : guarded_(!update.guard.none()),
        timed_(!update.times.none()),
        statistics_(std::move(statistics)) {}

  std::string_view name() const override { return "running_update"; }
  bool updates_state() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    GRADFLIP_REQUIRE(
        inputs[0].dtype == Dtype::kF32 && inputs[0].shape.rank() == 1 &&
            statistics_.size() <= kMaxRunningMoments,
        message("running_update: ", statistics_.size(), " statistics of ", inputs[0].text()));
    for (std::size_t i = 0; i < statistics_.size(); ++i) {
      const ValueType& moments = inputs[first_moments() + i];
      const std::int64_t groups = std::ssize(statistics_[i].groups);
      GRADFLIP_REQUIRE(moments.shape.rank() == 3 && moments.shape[0] == groups &&
                           moments.shape[1] == kMoments &&
                           static_cast<std::int64_t>(statistics_[i].group) < groups,
                       message("running_update: group ", statistics_[i].group, " of ", groups,
                               ", whose moments are ", moments.text()));
      const std::int64_t end =
          std::max(statistics_[i].mean, statistics_[i].variance) + moments.shape[2];
      GRADFLIP_REQUIRE(end <= inputs[0].shape.size(),
                       message("running_update: statistics end at ", end, " of ",
                               inputs[0].shape.size(), " weights"));
    }
    return {};
  }

  void run(const Launch& launch) const override {
    auto* weights = static_cast<float*>(launch.inputs[0].data);
    std::array<RunningMoments, kMaxRunningMoments> running;
    for (std::size_t i = 0; i < statistics_.size(); ++i) {
      const RunningStatistics& each = statistics_[i];
      const std::int64_t C = launch.inputs[first_moments() + i].shape[2];
      running[i] = {launch.in<float>(first_moments() + i) +
                        static_cast<std::int64_t>(each.group) * kMoments * C,
                    weights + each.mean,
                    weights + each.variance,
                    C,
                    correction(launch, each),
                    each.momentum};
    }
    const std::int32_t* frozen = guarded_ ? &launch.in<FiniteGuard>(1)->frozen : nullptr;
    const Scale times{1.0F, timed_ ? launch.in<float>(first_moments() - 1) : nullptr};
    dispatch(launch, [&](auto ctx) {
      update_running(ctx, std::span(running.data(), statistics_.size()), times, frozen);
    });
  }

 private:
  std::size_t first_moments() const { return 1 + (guarded_ ? 1 : 0) + (timed_ ? 1 : 0); }

  static float correction(const Launch& launch, const RunningStatistics& each) {
    const RowGroups whole = row_groups(each.groups, launch.segments, /*whole=*/true);
    const auto count =
        static_cast<float>(whole.rows_of(static_cast<int>(each.group)) * each.pixels);
    return count > 1.0F ? count / (count - 1.0F) : 1.0F;
  }

  bool guarded_, timed_;
  std::vector<RunningStatistics> statistics_;
};

}  // namespace

void running_update(Graph& graph, const RunningUpdate& update,
                    std::span<const RunningStatistics> statistics) {
  for (; !statistics.empty();
       statistics = statistics.subspan(std::min(statistics.size(), kMaxRunningMoments))) {
    const auto some = statistics.first(std::min(statistics.size(), kMaxRunningMoments));
    std::vector<Value> inputs{update.weights};
    for (const Value value : {update.guard, update.times}) {
      if (!value.none()) inputs.push_back(value);
    }
    for (const RunningStatistics& each : some) inputs.push_back(each.moments);
    graph.append(std::make_shared<const RunningUpdateOp>(
                     update, std::vector<RunningStatistics>(some.begin(), some.end())),
                 std::move(inputs));
  }
}

}  // namespace gradflip::ops
