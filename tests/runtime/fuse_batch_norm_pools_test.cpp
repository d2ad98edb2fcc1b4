#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/moments.h"
#include "runtime/ops/relu.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

// More rows than a shard has, of the second segment.
constexpr std::array<std::int64_t, 2> kPooledRows = {5, 37};
const Rows kPooledBoth = segment_rows(0) | segment_rows(1);
const Shape kPictures{5, 4, 9};
constexpr std::int64_t kPictureChannels = 9;

struct PooledNormMode {
  const char* name;
  bool separate, own_affine, of_batch;
};
constexpr PooledNormMode kPooledNormModes[] = {{"joint", false, false, true},
                                               {"separate", true, false, true},
                                               {"own scale and shift", true, true, true},
                                               {"known moments", false, false, false}};

// x -> batch_norm -> a rectifier -> max_pool2d, and a gradient that arrives there.
struct PooledNorm {
  Graph graph;
  std::array<Value, 2> x, dy;  // of each segment
  std::vector<ops::ChannelAffine> affine;
  Value in, arriving, between, y;
  std::vector<Value> external;  // channels

  explicit PooledNorm(const PooledNormMode& mode, const ops::Pool2dGeometry& pool = {}) {
    in = rows_of_both("x", x, kPictures);
    const ValueType channels{Dtype::kF32, {kPictureChannels}, {}};
    const auto declare = [&](const char* name) {
      return external.emplace_back(graph.external(name, channels));
    };
    for (int pair = 0; pair < (mode.own_affine ? 2 : 1); ++pair) {
      affine.push_back({declare("scale"), declare("shift")});
    }
    const ops::SegmentGroups groups =
        mode.separate ? ops::group_for_each(kPooledBoth) : ops::one_group(kPooledBoth);
    Value moments;
    if (mode.of_batch) {
      moments = ops::batch_moments(graph, in, groups, 42, 1e-5F);
    } else {
      const ops::KnownStatistics known{declare("mean"), declare("variance")};
      moments = ops::known_moments(graph, std::span(&known, 1), 1e-5F);
    }
    between = ops::leaky_relu(
        graph,
        ops::batch_norm(graph, in, moments, affine, {.groups = groups, .of_batch = mode.of_batch}),
        0.1F);
    y = ops::max_pool2d(graph, between, pool);
    arriving = rows_of_both("dy", dy, graph.type(y).shape);
  }

  Value rows_of_both(const char* name, std::array<Value, 2>& parts, const Shape& shape) {
    for (int segment = 0; segment < 2; ++segment) {
      parts[static_cast<std::size_t>(segment)] =
          graph.external(name, {Dtype::kF32, shape, segment_rows(segment)});
    }
    return ops::concat_rows(graph, parts);
  }

  Rewritten fused(std::span<const Value> keep) const {
    const Rewritten rectified = fuse_batch_norms(graph, keep);
    std::vector<Value> kept;
    for (const Value value : keep) kept.push_back(rectified(value));
    Rewritten pooled = fuse_batch_norm_pools(rectified.graph, kept);
    Rewritten both{std::move(pooled.graph), {}};
    for (std::int32_t id = 0; id < graph.num_values(); ++id) {
      const Value first = rectified({id});
      both.values.push_back(first.none() ? Value{} : pooled.values[first.index()]);
    }
    return both;
  }
};

// y, dx and the parameters' gradients, of the whole batch.
struct PooledNormRun {
  std::vector<float> y, dx;
  std::vector<std::vector<float>> dparameters;
};

PooledNormRun run_pooled_norm(const PooledNorm& norm, const Rewritten& as, int threads,
                              const Context& context) {
  Graph graph = as.graph;
  std::vector<Value> wrt{as(norm.in)};
  for (const ops::ChannelAffine& each : norm.affine) {
    wrt.insert(wrt.end(), {as(each.scale), as(each.shift)});
  }
  const Value y = as(norm.y);
  const Seed seed{y, as(norm.arriving)};
  const std::vector<Value> found = gradients(graph, std::span(&seed, 1), wrt);
  graph.mark_result(y);
  for (const Value gradient : found) graph.mark_result(gradient);

  GraphRunner runner(graph, {kPooledRows.begin(), kPooledRows.end()}, threads, {}, context);
  const auto bind_rows = [&](const std::array<Value, 2>& parts, std::uint64_t seed_of) {
    for (std::size_t segment = 0; segment < 2; ++segment) {
      const Value part = as(parts[segment]);
      runner.bind(part, random_floats(kPooledRows[segment] * graph.type(part).shape.size(),
                                      seed_of + segment));
    }
  };
  bind_rows(norm.x, 1);
  bind_rows(norm.dy, 3);
  std::uint64_t seed_of = 5;
  for (const Value each : norm.external) {
    std::vector<float> values = random_floats(kPictureChannels, seed_of++);
    // Some are variances; scales are of both signs.
    if (norm.graph.info(each).name == "variance") {
      for (float& value : values) value = std::abs(value) + 0.1F;
    }
    runner.bind(as(each), values);
  }
  runner.bind_results();
  runner.run();
  PooledNormRun got{runner.read_rows(y), runner.read_rows(found[0]), {}};
  for (std::size_t i = 1; i < found.size(); ++i) got.dparameters.push_back(runner.read(found[i]));
  return got;
}

Rewritten as_it_is(const Graph& graph) {
  Rewritten same{graph, {}};
  for (std::int32_t id = 0; id < graph.num_values(); ++id) same.values.push_back({id});
  return same;
}

// The sums of the gradients have their terms in another order.
void expect_near_sums(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  float largest = 0.0F;
  for (const float value : want) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-5F * largest) << i;
}

template <typename Ctx>
class FuseBatchNormPoolsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(FuseBatchNormPoolsTest, Backends, BackendNames);

TYPED_TEST(FuseBatchNormPoolsTest, ComputesWhatTheOperationsDo) {
  const ops::Pool2dGeometry square, high{.window_h = 3, .stride_h = 3};
  for (const PooledNormMode& mode : kPooledNormModes) {
    SCOPED_TRACE(mode.name);
    const PooledNorm norm(mode, mode.own_affine ? high : square);
    const Rewritten fused = norm.fused(std::span(&norm.y, 1));
    EXPECT_EQ(fused.graph.count("batch_norm_pool"), 1);
    for (const char* gone : {"batch_norm", "leaky_relu", "max_pool2d"}) {
      EXPECT_EQ(fused.graph.count(gone), 0) << gone;
    }
    const PooledNormRun want = run_pooled_norm(norm, as_it_is(norm.graph), 2, this->ctx());
    const PooledNormRun got = run_pooled_norm(norm, fused, 2, this->ctx());
    EXPECT_EQ(got.y, want.y);
    expect_near_sums(got.dx, want.dx);
    ASSERT_EQ(got.dparameters.size(), want.dparameters.size());
    for (std::size_t i = 0; i < got.dparameters.size(); ++i) {
      expect_near_sums(got.dparameters[i], want.dparameters[i]);
    }
  }
}

TYPED_TEST(FuseBatchNormPoolsTest, SameBitsForAnyNumberOfThreads) {
  const PooledNorm norm(kPooledNormModes[1]);
  const Rewritten fused = norm.fused(std::span(&norm.y, 1));
  const PooledNormRun want = run_pooled_norm(norm, fused, 1, this->ctx());
  for (const int threads : {2, 4}) {
    SCOPED_TRACE(threads);
    const PooledNormRun got = run_pooled_norm(norm, fused, threads, this->ctx());
    EXPECT_EQ(got.y, want.y);
    EXPECT_EQ(got.dx, want.dx);
    EXPECT_EQ(got.dparameters, want.dparameters);
  }
}

TEST(FuseBatchNormPoolsGraphTest, LeavesWhatOthersReadAndWhatOverlaps) {
  const PooledNormMode& joint = kPooledNormModes[0];
  const auto count = [](const PooledNorm& norm, std::vector<Value> keep) {
    keep.push_back(norm.y);
    return norm.fused(keep).graph.count("batch_norm_pool");
  };
  const PooledNorm norm(joint);
  EXPECT_EQ(count(norm, {}), 1);
  EXPECT_EQ(count(norm, {norm.between}), 0);
  EXPECT_EQ(count(PooledNorm(joint, {.stride_w = 1}), {}), 0);
  EXPECT_EQ(count(PooledNorm(joint, {.window_h = 3, .window_w = 3}), {}), 0);
  EXPECT_EQ(count(PooledNorm(joint, {.pad_w = 1}), {}), 0);
  // Whose gradient has been asked for already: it reads the winners.
  PooledNorm differentiated(joint);
  const Seed seed{differentiated.y, differentiated.arriving};
  gradients(differentiated.graph, std::span(&seed, 1), std::span(&differentiated.in, 1));
  EXPECT_EQ(count(differentiated, {}), 0);
}

}  // namespace
}  // namespace gradflip
