// Batch normalisation in a graph: over segments and shards.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "kernels/moments.h"
#include "runtime/autodiff.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/moments.h"
#include "runtime/ops/row_sums.h"
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

}  // namespace
}  // namespace gradflip
