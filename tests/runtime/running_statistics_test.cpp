// What a training step keeps of batches' statistics.
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "runtime/ops/batch_norm.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/moments.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "runtime/program.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/batch_norm.h"

namespace gradflip {
namespace {

constexpr float kRunningEpsilon = 1e-5F;

// A step that trains a layer, normalises what it makes and keeps the statistics.
struct RunningDraft {
  Parameters parameters;
  Draft draft;
  Value x;

  explicit RunningDraft(Value* moments_read = nullptr) {
    Graph& graph = draft.graph;
    const auto declare = [&](const std::string& name, const Shape& shape, float value,
                             bool trained) {
      return parameters.add(name, shape, FileLayout::same(shape), Constant{value}, trained);
    };
    const std::int32_t weight = declare("weight", {3, 2}, 0.5F, true);
    const std::int32_t scale = declare("bn.weight", {3}, 1.0F, true);
    const std::int32_t shift = declare("bn.bias", {3}, 0.0F, true);
    const std::int32_t mean = declare("bn.running_mean", {3}, 0.0F, false);
    const std::int32_t variance = declare("bn.running_var", {3}, 1.0F, false);
    const auto value = [&](std::int32_t index) {
      return graph.parameter(index, parameters[index].name, parameters[index].shape);
    };
    draft.step = graph.external("step", {Dtype::kI64, {}, {}});
    x = graph.external("x", {Dtype::kF32, {2}, segment_rows(0)});
    const Value h = ops::linear(graph, x, value(weight));
    const ops::SegmentGroups groups = ops::one_group(segment_rows(0));
    const Value moments = ops::batch_moments(graph, h, groups, 40, kRunningEpsilon);
    const ops::ChannelAffine affine{value(scale), value(shift)};
    const Value y = ops::batch_norm(graph, h, moments, std::span(&affine, 1), {.groups = groups});
    const Value loss = ops::mean_rows(graph, ops::sum_features(graph, ops::square(graph, y)));
    draft.objective = {.terms = {{"loss", loss}},
                       .learning_rate = ops::evaluate_schedule(graph, draft.step, {.start = 0.1})};
    draft.running = {{moments, groups, 0, 1, mean, variance}};
    if (moments_read != nullptr) {
      draft.reads = {moments};
      *moments_read = moments;
    }
  }
};

template <typename Ctx>
struct RunningRun {
  RunningRun(Ctx ctx, RunningDraft& written, const std::vector<float>& x)
      : context(ctx),
        workers(2),
        group(updated_group(written.draft)),
        state(context, written.parameters, 1, std::span(&group, 1)),
        program(written.draft, written.parameters, state, context, workers,
                std::array<std::int64_t, 1>{40}),
        memory(context, static_cast<std::int64_t>(x.size()) * 4) {
    copy_from_host(context, memory.data(), x.data(), memory.bytes());
    program.bind(written.x, memory.data());
  }

  std::vector<float> parameter(const Parameters& parameters, const std::string& name) const {
    std::vector<float> flat(static_cast<std::size_t>(parameters.flat_size()));
    const Buffer& weights = state.parameter_blocks().weights;
    copy_to_host(context, flat.data(), weights.data(), weights.bytes());
    for (const Parameter& each : parameters.list()) {
      if (each.name != name) continue;
      return {flat.begin() + each.offset, flat.begin() + each.offset + each.shape.size()};
    }
    return {};
  }

  Context context;
  Workers workers;
  UpdatedGroup group;
  State state;
  Program program;
  Buffer memory;
};

template <typename Ctx>
class RunningStatisticsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(RunningStatisticsTest, Backends, BackendNames);

TYPED_TEST(RunningStatisticsTest, RunningStatisticsFollowTheBatches) {
  Value moments;
  RunningDraft written(&moments);
  RunningRun<TypeParam> run(this->ctx(), written, random_floats(80, 5));
  std::vector<double> mean(3, 0.0), variance(3, 1.0);
  for (int step = 0; step < 3; ++step) {
    // The weights of this step make the moments that it folds in.
    const std::vector<float> weight = run.parameter(written.parameters, "weight");
    run.program.executor().run(std::array<std::int64_t, 1>{40});
    const std::vector<float> x = random_floats(80, 5);
    reference::BatchNormCase norm{.group = std::vector<int>(40, 0), .C = 3};
    std::vector<double> h;
    for (std::size_t row = 0; row < 40; ++row) {
      for (std::size_t k = 0; k < 3; ++k) {
        h.push_back(double{weight[k * 2]} * x[row * 2] +
                    double{weight[k * 2 + 1]} * x[row * 2 + 1]);
      }
    }
    const reference::Moments of = reference::moments(norm, h);
    for (std::size_t c = 0; c < 3; ++c) {
      mean[c] += 0.1 * (of.mean[c] - mean[c]);
      variance[c] += 0.1 * (of.variance[c] * 40.0 / 39.0 - variance[c]);
    }
  }
  const std::vector<double> ones(3, 1.0);
  EXPECT_TRUE(all_close(run.parameter(written.parameters, "bn.running_mean"), mean, ones, kSum));
  EXPECT_TRUE(all_close(run.parameter(written.parameters, "bn.running_var"), variance, ones, kSum));
}

TYPED_TEST(RunningStatisticsTest, ABatchThatIsNotFiniteLeavesRunningStatisticsAlone) {
  RunningDraft written;
  std::vector<float> x = random_floats(80, 5);
  x[17] = std::numeric_limits<float>::infinity();
  RunningRun<TypeParam> run(this->ctx(), written, x);
  run.program.executor().run(std::array<std::int64_t, 1>{40});
  EXPECT_EQ(run.state.guard().frozen, 1);
  EXPECT_EQ(run.parameter(written.parameters, "bn.running_mean"), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(run.parameter(written.parameters, "bn.running_var"), (std::vector<float>{1, 1, 1}));
}

}  // namespace
}  // namespace gradflip
