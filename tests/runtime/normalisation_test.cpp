// Batch normalisation and dropout in a graph: over segments and shards, and what is kept of
// statistics from step to step.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/moments.h"
#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/moments.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "runtime/program.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/graph_runner.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/batch_norm.h"

namespace gradflip {
namespace {

using reference::widen;

// More rows than a shard has, of each segment.
constexpr std::int64_t kNormSource = 41, kNormTarget = 70, kNormRows = kNormSource + kNormTarget;
const Shape kNormShape{3, 2, 5};
constexpr std::int64_t kNormPixels = 6, kNormChannels = 5;
constexpr float kNormEpsilon = 1e-5F;
const Rows kNormBoth = segment_rows(0) | segment_rows(1);

struct NormMode {
  const char* name;
  bool separate, own_affine;
};
constexpr NormMode kNormModes[] = {
    {"joint", false, false}, {"separate", true, false}, {"own scale and shift", true, true}};

struct NormGraph {
  Graph graph;
  std::array<Value, 2> x, dy;  // of each segment
  std::vector<ops::ChannelAffine> affine;
  ops::SegmentGroups groups;
  Value moments, y, dx;
  std::vector<Value> parameter_gradients;  // of each scale, then shift

  NormGraph(const NormMode& mode, const Rectifier& rectifier) {
    const auto rows_of_both = [&](const char* name, std::array<Value, 2>& parts) {
      for (int segment = 0; segment < 2; ++segment) {
        parts[static_cast<std::size_t>(segment)] =
            graph.external(name, {Dtype::kF32, kNormShape, segment_rows(segment)});
      }
      return ops::concat_rows(graph, parts);
    };
    const Value in = rows_of_both("x", x), arriving = rows_of_both("dy", dy);
    groups = mode.separate ? ops::group_for_each(kNormBoth) : ops::one_group(kNormBoth);
    const ValueType channels{Dtype::kF32, {kNormChannels}, {}};
    for (std::size_t pair = 0; pair < (mode.own_affine ? 2U : 1U); ++pair) {
      affine.push_back({graph.external("scale", channels), graph.external("shift", channels)});
    }
    moments = ops::batch_moments(graph, in, groups, kNormRows, kNormEpsilon);
    y = ops::batch_norm(graph, in, moments, affine,
                        {.groups = groups, .of_batch = true, .rectifier = rectifier});
    std::vector<Value> wrt{in};
    for (const ops::ChannelAffine& each : affine) {
      wrt.insert(wrt.end(), {each.scale, each.shift});
    }
    const Seed seed{y, arriving};
    const std::vector<Value> found = gradients(graph, std::span(&seed, 1), wrt);
    dx = found[0];
    parameter_gradients.assign(found.begin() + 1, found.end());
    for (const Value result : {y, dx}) graph.mark_result(result);
    for (const Value result : parameter_gradients) graph.mark_result(result);
  }
};

struct NormData {
  std::vector<float> x = random_floats(kNormRows * kNormShape.size(), 1),
                     dy = random_floats(kNormRows * kNormShape.size(), 2),
                     scale = random_floats(2 * kNormChannels, 3),
                     shift = random_floats(2 * kNormChannels, 4);

  void bind(GraphRunner& runner, const NormGraph& norm) const {
    const auto part = [](const std::vector<float>& all, std::int64_t begin, std::int64_t size) {
      return std::vector<float>(all.begin() + begin, all.begin() + begin + size);
    };
    const std::int64_t source = kNormSource * kNormShape.size();
    const std::int64_t target = kNormTarget * kNormShape.size();
    runner.bind(norm.x[0], part(x, 0, source));
    runner.bind(norm.x[1], part(x, source, target));
    runner.bind(norm.dy[0], part(dy, 0, source));
    runner.bind(norm.dy[1], part(dy, source, target));
    for (std::size_t pair = 0; pair < norm.affine.size(); ++pair) {
      const auto begin = static_cast<std::int64_t>(pair) * kNormChannels;
      runner.bind(norm.affine[pair].scale, part(scale, begin, kNormChannels));
      runner.bind(norm.affine[pair].shift, part(shift, begin, kNormChannels));
    }
    runner.bind_results();
  }
};

reference::BatchNormCase norm_case(const NormMode& mode, const Rectifier& rectifier) {
  reference::BatchNormCase norm{.groups = mode.separate ? 2 : 1,
                                .pixels = kNormPixels,
                                .C = kNormChannels,
                                .epsilon = kNormEpsilon,
                                .slope = rectifier.slope,
                                .cap = rectifier.cap};
  norm.group.assign(kNormRows, 0);
  if (mode.separate) std::fill(norm.group.begin() + kNormSource, norm.group.end(), 1);
  return norm;
}

// (groups, C): of one pair, the same for all groups.
std::vector<double> of_groups(const std::vector<float>& values, const NormMode& mode) {
  std::vector<double> own = widen(values);
  if (!mode.own_affine) std::copy_n(own.begin(), kNormChannels, own.begin() + kNormChannels);
  return own;
}

template <typename Ctx>
class NormalisationTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(NormalisationTest, Backends, BackendNames);

TYPED_TEST(NormalisationTest, ForwardAndGradientsMatchReference) {
  for (const NormMode& mode : kNormModes) {
    for (const Rectifier& rectifier : {kIdentity, Rectifier{.slope = 0.1F}}) {
      SCOPED_TRACE(testing::Message() << mode.name << ", slope " << rectifier.slope);
      const NormGraph norm(mode, rectifier);
      const NormData data;
      GraphRunner runner(norm.graph, {kNormSource, kNormTarget}, 2, {}, this->ctx());
      data.bind(runner, norm);
      runner.run();

      const reference::BatchNormCase as = norm_case(mode, rectifier);
      const std::vector<double> x = widen(data.x);
      const reference::Moments of = reference::moments(as, x);
      const reference::Affine affine{of_groups(data.scale, mode), of_groups(data.shift, mode)};
      EXPECT_TRUE(
          all_close(runner.read_rows(norm.y), reference::batch_norm(as, of, affine, x), kSum));
      const std::vector<double> g = reference::behind_rectifier(as, of, affine, x, widen(data.dy));
      const reference::Sums sums = reference::batch_norm_sums(as, of, x, g);
      EXPECT_TRUE(all_close(runner.read_rows(norm.dx),
                            reference::batch_norm_backward(as, of, affine, x, g, sums.value),
                            kSum));

      const std::size_t pairs = norm.affine.size();
      for (std::size_t i = 0; i < norm.parameter_gradients.size(); ++i) {
        const bool is_scale = i % 2 == 0;
        reference::Sums want(kNormChannels);
        for (std::size_t group = 0; group < static_cast<std::size_t>(as.groups); ++group) {
          if (pairs > 1 && group != i / 2) continue;
          for (std::int64_t c = 0; c < kNormChannels; ++c) {
            const std::size_t at =
                (group * 2 + (is_scale ? 1U : 0U)) * kNormChannels + static_cast<std::size_t>(c);
            want.value[static_cast<std::size_t>(c)] += sums.value[at];
            want.scale[static_cast<std::size_t>(c)] += sums.scale[at];
          }
        }
        EXPECT_TRUE(all_close(runner.read(norm.parameter_gradients[i]), want, kSum)) << i;
      }
    }
  }
}

TYPED_TEST(NormalisationTest, SameBitsForAnyNumberOfThreads) {
  for (const NormMode& mode : kNormModes) {
    const NormGraph norm(mode, {});
    const NormData data;
    std::vector<std::vector<float>> first;
    for (const int threads : {1, 2, 4, 8}) {
      GraphRunner runner(norm.graph, {kNormSource, kNormTarget}, threads, {}, this->ctx());
      data.bind(runner, norm);
      runner.run();
      std::vector<std::vector<float>> got{runner.read_rows(norm.y), runner.read_rows(norm.dx)};
      for (const Value gradient : norm.parameter_gradients) got.push_back(runner.read(gradient));
      if (first.empty()) first = got;
      EXPECT_EQ(got, first) << mode.name << ", " << threads << " threads";
    }
  }
}

// With known statistics each row stands alone, and the gradient is a factor.
TYPED_TEST(NormalisationTest, KnownStatisticsAreConstants) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {4}, segment_rows(0)});
  const ValueType channels{Dtype::kF32, {4}, {}};
  const ops::KnownStatistics known{graph.external("mean", channels),
                                   graph.external("variance", channels)};
  const ops::ChannelAffine affine{graph.external("scale", channels),
                                  graph.external("shift", channels)};
  const Value y = ops::batch_norm(graph, x, ops::known_moments(graph, std::span(&known, 1), 0.0F),
                                  std::span(&affine, 1),
                                  {.groups = ops::one_group(segment_rows(0)), .of_batch = false});
  const Value loss = ops::sum_rows(graph, ops::sum_features(graph, y));
  const Seed seed{loss};
  const Value dx = gradients(graph, std::span(&seed, 1), std::span(&x, 1))[0];
  graph.mark_result(y);
  graph.mark_result(dx);
  GraphRunner runner(graph, {2}, 1, {}, this->ctx());
  runner.bind(x, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  runner.bind(known.mean, std::vector<float>{1, 1, 1, 1});
  runner.bind(known.variance, std::vector<float>{1, 4, 16, 64});
  runner.bind(affine.scale, std::vector<float>{1, 1, 2, 8});
  runner.bind(affine.shift, std::vector<float>{0, 0, 0, 1});
  runner.bind_results();
  runner.run();
  EXPECT_EQ(runner.read_rows(y), (std::vector<float>{0, 0.5, 1, 4, 4, 2.5, 3, 8}));
  EXPECT_EQ(runner.read_rows(dx), (std::vector<float>{1, 0.5, 0.5, 1, 1, 0.5, 0.5, 1}));
}

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
    const Value moments = ops::batch_moments(graph, h, groups, 40, kNormEpsilon);
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

TYPED_TEST(NormalisationTest, RunningStatisticsFollowTheBatches) {
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

TYPED_TEST(NormalisationTest, ABatchThatIsNotFiniteLeavesRunningStatisticsAlone) {
  RunningDraft written;
  std::vector<float> x = random_floats(80, 5);
  x[17] = std::numeric_limits<float>::infinity();
  RunningRun<TypeParam> run(this->ctx(), written, x);
  run.program.executor().run(std::array<std::int64_t, 1>{40});
  EXPECT_EQ(run.state.guard().frozen, 1);
  EXPECT_EQ(run.parameter(written.parameters, "bn.running_mean"), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(run.parameter(written.parameters, "bn.running_var"), (std::vector<float>{1, 1, 1}));
}

TEST(NormalisationGraphTest, RefusesWhatDoesNotFit) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {4}, segment_rows(0)});
  const Value three = graph.external("three", {Dtype::kF32, {3}, {}});
  const Value four = graph.external("four", {Dtype::kF32, {4}, {}});
  EXPECT_THROW(ops::batch_moments(graph, x, ops::one_group(kNormBoth), 8, kNormEpsilon),
               std::invalid_argument);
  EXPECT_THROW(ops::batch_moments(graph, x, {segment_rows(0), segment_rows(0)}, 8, kNormEpsilon),
               std::invalid_argument);
  const Value moments =
      ops::batch_moments(graph, x, ops::one_group(segment_rows(0)), 8, kNormEpsilon);
  const ops::ChannelAffine narrow{three, three}, affine{four, four};
  const ops::BatchNormAttributes attributes{.groups = ops::one_group(segment_rows(0))};
  EXPECT_THROW(ops::batch_norm(graph, x, moments, std::span(&narrow, 1), attributes),
               std::invalid_argument);
  EXPECT_THROW(ops::batch_norm(graph, x, four, std::span(&affine, 1), attributes),
               std::invalid_argument);
  const ops::KnownStatistics unequal{three, four};
  EXPECT_THROW(ops::known_moments(graph, std::span(&unequal, 1), kNormEpsilon),
               std::invalid_argument);
  EXPECT_THROW(ops::known_moments(graph, {}, kNormEpsilon), std::invalid_argument);
  EXPECT_NO_THROW(ops::batch_norm(graph, x, moments, std::span(&affine, 1), attributes));
}

// x -> [conv2d or linear] -> batch_norm by known moments -> relu, and the parameters' values.
struct KnownNorm {
  Graph graph;
  Parameters parameters;
  Value x, between, y;
  std::vector<float> weights;

  explicit KnownNorm(bool pictures) {
    const Shape sample = pictures ? Shape{5, 4, 2} : Shape{6};
    const Shape weight = pictures ? Shape{3, 2, 2, 7} : Shape{7, 6};
    x = graph.external("x", {Dtype::kF32, sample, segment_rows(0)});
    const Value w = declare("weight", weight);
    between = pictures ? ops::conv2d(graph, x, w, {.pad_h = 1}) : ops::linear(graph, x, w);
    const ops::KnownStatistics known{declare("mean", {7}), declare("variance", {7})};
    const ops::ChannelAffine affine{declare("scale", {7}), declare("shift", {7})};
    const Value normalised = ops::batch_norm(
        graph, between, ops::known_moments(graph, std::span(&known, 1), kNormEpsilon),
        std::span(&affine, 1), {.groups = ops::one_group(segment_rows(0)), .of_batch = false});
    y = ops::relu(graph, normalised);
    graph.mark_result(y);
    weights = random_floats(parameters.flat_size(), 6);
    for (float& value : weights) value = std::abs(value) + 0.1F;  // some are variances
  }

  Value declare(const std::string& name, const Shape& shape) {
    return graph.parameter(parameters.add(name, shape, FileLayout::same(shape), Uniform{}), name,
                           shape);
  }

  std::vector<float> run(const Graph& as, Value input, Value output, const Context& context) const {
    GraphRunner runner(as, {9}, 2, parameters, context);
    runner.bind(input, random_floats(9 * graph.type(x).shape.size(), 7));
    runner.set_weights(weights);
    runner.bind_results();
    runner.run();
    return runner.read_rows(output);
  }
};

TYPED_TEST(NormalisationTest, KnownStatisticsFoldIntoTheLayerAhead) {
  for (const bool pictures : {true, false}) {
    const KnownNorm norm(pictures);
    const Rewritten folded = fold_batch_norms(norm.graph, std::span(&norm.y, 1));
    EXPECT_EQ(folded.graph.count("batch_norm"), 0);
    EXPECT_EQ(folded.graph.count("fold_batch_norm"), 1);
    const std::vector<float> want = norm.run(norm.graph, norm.x, norm.y, this->ctx());
    const std::vector<float> got =
        norm.run(folded.graph, folded(norm.x), folded(norm.y), this->ctx());
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], 1e-5F * (1.0F + std::abs(want[i]))) << i;
    }
    // Where somebody reads what the layer makes, it stays.
    const std::array<Value, 2> watched{norm.y, norm.between};
    EXPECT_EQ(fold_batch_norms(norm.graph, watched).graph.count("batch_norm"), 1);
  }
}

TYPED_TEST(NormalisationTest, TheRectifierBehindIsTakenIn) {
  const KnownNorm norm(true);
  const Rewritten fused = fuse_batch_norms(norm.graph, std::span(&norm.y, 1));
  EXPECT_EQ(fused.graph.count("relu"), 0);
  EXPECT_EQ(norm.run(fused.graph, fused(norm.x), fused(norm.y), this->ctx()),
            norm.run(norm.graph, norm.x, norm.y, this->ctx()));
}

struct DropoutGraph {
  Graph graph;
  Value step, y, dx;
  std::array<Value, 2> x;

  explicit DropoutGraph(bool channels) {
    step = graph.external("step", {Dtype::kI64, {}, {}});
    for (int segment = 0; segment < 2; ++segment) {
      x[static_cast<std::size_t>(segment)] =
          graph.external("x", {Dtype::kF32, kNormShape, segment_rows(segment)});
    }
    const Value in = ops::concat_rows(graph, x);
    y = ops::dropout(graph, in, step,
                     {.seed = 7, .stream = 3, .probability = 0.4, .channels = channels});
    const Seed seed{ops::sum_rows(graph, ops::sum_features(graph, y))};
    dx = gradients(graph, std::span(&seed, 1), std::span(&in, 1))[0];
    graph.mark_result(y);
    graph.mark_result(dx);
    ops::advance_step(graph, step);
  }

  // Ones go in: y is the mask, twice over.
  std::vector<float> run(const Context& context, int threads, int steps) const {
    GraphRunner runner(graph, {kNormSource, kNormTarget}, threads, {}, context);
    const std::vector<float> ones(static_cast<std::size_t>(kNormRows * kNormShape.size()), 1.0F);
    for (const Value each : x) runner.bind(each, ones);
    runner.bind(step, std::vector<std::int64_t>{0});
    runner.bind_results();
    runner.run(steps);
    EXPECT_EQ(runner.read_rows(y), runner.read_rows(dx));
    return runner.read_rows(y);
  }
};

TYPED_TEST(NormalisationTest, DropoutDropsTheSameForAnyNumberOfThreads) {
  const Context context = this->ctx();
  for (const bool channels : {false, true}) {
    const DropoutGraph graph(channels);
    const std::vector<float> mask = graph.run(context, 1, 1);
    EXPECT_EQ(graph.run(context, 4, 1), mask);
    EXPECT_NE(graph.run(context, 1, 2), mask) << "the second step has another mask";
    double kept = 0.0;
    for (const float value : mask) kept += value == 0.0F ? 0.0 : 1.0;
    EXPECT_NEAR(kept / static_cast<double>(mask.size()), 0.6, 0.1);
  }
}

TYPED_TEST(NormalisationTest, ChannelsAreDroppedWhole) {
  const std::vector<float> mask = DropoutGraph(true).run(this->ctx(), 2, 1);
  for (std::size_t row = 0; row < kNormRows; ++row) {
    for (std::size_t i = 0; i < kNormPixels * kNormChannels; ++i) {
      const std::size_t first = row * kNormPixels * kNormChannels;
      EXPECT_EQ(mask[first + i], mask[first + i % kNormChannels]) << row;
    }
  }
}

TEST(NormalisationGraphTest, DropoutRefusesToDropEverything) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {4}, segment_rows(0)});
  const Value step = graph.external("step", {Dtype::kI64, {}, {}});
  EXPECT_THROW(ops::dropout(graph, x, step, {.probability = 1.0}), std::invalid_argument);
  EXPECT_THROW(ops::dropout(graph, step, step, {.probability = 0.5}), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
