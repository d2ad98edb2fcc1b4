// Rows that meet: those of one segment with those of another, and each with each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "runtime/autodiff.h"
#include "runtime/memory_plan.h"
#include "runtime/ops/as_segment.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/stack_rows.h"
#include "tests/support/backends.h"
#include "tests/support/gradcheck.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

template <typename Ctx>
class RowPartnersTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(RowPartnersTest, Backends, BackendNames);

constexpr std::int64_t kD = 3;
const ValueType kWeak{Dtype::kF32, {kD}, segment_rows(0)};
const ValueType kStrong{Dtype::kF32, {kD}, segment_rows(2)};

std::vector<double> to_double(const std::vector<float>& x) { return {x.begin(), x.end()}; }

// Within f32's rounding of sums of some 100 terms.
constexpr double kClose = 1e-5;

// Rows of the third segment times their partners of the first, and the gradients of their squares.
struct Partners {
  Graph graph;
  Value weak, strong, y, dweak, dstrong;
};

Partners partners() {
  Partners p;
  p.weak = p.graph.external("weak", kWeak);
  p.strong = p.graph.external("strong", kStrong);
  // Among all rows, so that the view has an offset.
  const Value placed =
      ops::place_rows(p.graph, p.weak, segment_rows(0) | segment_rows(1) | segment_rows(2));
  const Value alone = ops::slice_rows(p.graph, placed, segment_rows(0));
  p.y = ops::multiply(p.graph, ops::as_segment(p.graph, alone, segment_rows(2)), p.strong);
  const Value loss = sum_all(p.graph, ops::multiply(p.graph, p.y, p.y), 0.5F);
  const std::vector<Value> gradient =
      gradients_of(p.graph, std::array{loss}, std::array{p.weak, p.strong});
  p.dweak = gradient[0];
  p.dstrong = gradient[1];
  for (const Value result : {p.y, p.dweak, p.dstrong}) p.graph.mark_result(result);
  return p;
}

TYPED_TEST(RowPartnersTest, RowNMeetsRowN) {
  for (const std::int64_t rows : {0, 1, 33, 170}) {
    const Partners p = partners();
    const std::vector<float> weak = random_floats(rows * kD + 1, 1);
    const std::vector<float> strong = random_floats(rows * kD + 1, 2);
    for (const int threads : {1, 2, 4, 8}) {
      GraphRunner runner(p.graph, {rows, 40, rows}, threads, {}, this->ctx());
      runner.bind_results();
      runner.bind(p.weak, weak);
      runner.bind(p.strong, strong);
      runner.run();
      const std::vector<float> y = runner.read_rows(p.y), dweak = runner.read_rows(p.dweak),
                               dstrong = runner.read_rows(p.dstrong);
      for (std::size_t i = 0; i < y.size(); ++i) {
        ASSERT_EQ(y[i], weak[i] * strong[i]) << i;
        ASSERT_FLOAT_EQ(dweak[i], y[i] * strong[i]) << i;
        ASSERT_FLOAT_EQ(dstrong[i], y[i] * weak[i]) << i;
      }
    }
  }
}

TYPED_TEST(RowPartnersTest, NeedEqualNumbersOfRows) {
  const Partners p = partners();
  GraphRunner runner(p.graph, {5, 0, 4}, 1, {}, this->ctx());
  runner.bind_results();
  runner.bind(p.weak, std::vector<float>(15));
  runner.bind(p.strong, std::vector<float>(15));
  EXPECT_THAT([&] { runner.run(); },
              ThrowsMessage<std::invalid_argument>(
                  AllOf(HasSubstr("segment 0 has 5 rows"), HasSubstr("segment 2 has 4"))));
  EXPECT_NO_THROW(runner.executor().run(std::array<std::int64_t, 3>{4, 0, 4}));
}

TEST(RowPartnersOnceTest, AreOneSegmentEach) {
  Graph graph;
  const Value x = graph.external("x", kWeak);
  const Rows both = segment_rows(0) | segment_rows(1);
  EXPECT_THROW(ops::as_segment(graph, x, both), std::invalid_argument);
  EXPECT_THROW(ops::as_segment(graph, x, {}), std::invalid_argument);
  const Value placed = ops::place_rows(graph, x, both);
  EXPECT_THROW(ops::as_segment(graph, placed, segment_rows(1)), std::invalid_argument);
  EXPECT_THROW(ops::stack_rows(graph, placed, 4), std::invalid_argument);
  const Value stacked = ops::stack_rows(graph, x, 4);
  EXPECT_THROW(ops::rows_of(graph, stacked, both), std::invalid_argument);
  EXPECT_THROW(ops::rows_of(graph, x, segment_rows(0)), std::invalid_argument);
}

// All products of rows of x with rows of z, whose squares are the loss: a kernel between two sets.
struct Gram {
  Graph graph;
  Parameters parameters;
  Value x, z, weight, gram, again, dx, dz, dweight;
};

Gram gram(std::int64_t rows_of_z) {
  Gram g;
  g.x = g.graph.external("x", kWeak);
  g.z = g.graph.external("z", kStrong);
  g.parameters.add("weight", {kD, kD}, FileLayout::same({kD, kD}), Uniform{1.0F});
  g.weight = g.graph.parameter(0, "weight", {kD, kD});
  const Value h = ops::linear(g.graph, g.z, g.weight);
  const Value stacked = ops::stack_rows(g.graph, h, rows_of_z);
  g.gram = ops::linear(g.graph, g.x, stacked);  // rows x (rows of z)
  g.again = ops::rows_of(g.graph, stacked, segment_rows(2));
  const std::array losses{sum_all(g.graph, ops::multiply(g.graph, g.gram, g.gram), 0.5F),
                          sum_all(g.graph, ops::multiply(g.graph, g.again, g.again), 0.25F)};
  const std::vector<Value> gradient = gradients_of(g.graph, losses, std::array{g.x, g.z, g.weight});
  g.dx = gradient[0];
  g.dz = gradient[1];
  g.dweight = gradient[2];
  g.graph.mark_gradient(g.dweight, 0);
  for (const Value result : {g.gram, g.again, g.dx, g.dz}) g.graph.mark_result(result);
  return g;
}

struct GramSizes {
  std::size_t x, z;  // rows
};

// 0.5 * sum of (x W^T z)^2 + 0.25 * sum of (W z)^2.
double gram_loss(const GramSizes& rows, const double* x, const double* z, const double* weight) {
  double loss = 0.0;
  for (std::size_t m = 0; m < rows.z; ++m) {
    std::array<double, kD> h{};
    for (std::size_t o = 0; o < kD; ++o) {
      for (std::size_t i = 0; i < kD; ++i) h[o] += weight[o * kD + i] * z[m * kD + i];
      loss += 0.25 * h[o] * h[o];
    }
    for (std::size_t n = 0; n < rows.x; ++n) {
      double product = 0.0;
      for (std::size_t i = 0; i < kD; ++i) product += x[n * kD + i] * h[i];
      loss += 0.5 * product * product;
    }
  }
  return loss;
}

struct GramResults {
  std::vector<float> gram, dx, dz, dweight, again;
};

GramResults run_gram(const Context& context, const GramSizes& rows, int threads) {
  const auto x_rows = static_cast<std::int64_t>(rows.x), z_rows = static_cast<std::int64_t>(rows.z);
  const Gram g = gram(z_rows);
  GraphRunner runner(g.graph, {x_rows, 20, z_rows}, threads, g.parameters, context);
  runner.bind_results();
  runner.set_weights(random_floats(kD * kD, 3));
  runner.bind(g.x, random_floats(x_rows * kD, 4));
  runner.bind(g.z, random_floats(z_rows * kD, 5));
  runner.run(2);
  return {runner.read_rows(g.gram), runner.read_rows(g.dx), runner.read_rows(g.dz),
          runner.read(g.dweight), runner.read_rows(g.again)};
}

TYPED_TEST(RowPartnersTest, GradientsOfAGramMatrixAreCentralDifferences) {
  for (const GramSizes rows : {GramSizes{1, 1}, {5, 7}, {70, 45}}) {
    const GramResults got = run_gram(this->ctx(), rows, 3);
    std::vector<double> all = to_double(random_floats(static_cast<std::int64_t>(rows.x) * kD, 4));
    for (const std::vector<float>& more :
         {random_floats(static_cast<std::int64_t>(rows.z) * kD, 5), random_floats(kD * kD, 3)}) {
      all.insert(all.end(), more.begin(), more.end());
    }
    const auto loss = [&](const std::vector<double>& v) {
      const double* z = v.data() + rows.x * kD;
      return std::vector<double>{gram_loss(rows, v.data(), z, z + rows.z * kD)};
    };
    std::vector<double> analytic = to_double(got.dx);
    for (const std::vector<float>& more : {got.dz, got.dweight}) {
      analytic.insert(analytic.end(), more.begin(), more.end());
    }
    EXPECT_TRUE(gradients_match(analytic, central_differences(loss, all, {1.0}), kClose));
  }
}

TYPED_TEST(RowPartnersTest, StacksAreTheSameBitsForAnyNumberOfThreads) {
  const GramSizes rows{150, 110};
  const GramResults one = run_gram(this->ctx(), rows, 1);
  for (const int threads : {2, 4, 8}) {
    const GramResults other = run_gram(this->ctx(), rows, threads);
    EXPECT_EQ(other.gram, one.gram);
    EXPECT_EQ(other.again, one.again);
    EXPECT_EQ(other.dx, one.dx);
    EXPECT_EQ(other.dz, one.dz);
    EXPECT_EQ(other.dweight, one.dweight);
  }
}

TYPED_TEST(RowPartnersTest, AStackIsForOneNumberOfRows) {
  const Gram g = gram(6);
  GraphRunner runner(g.graph, {4, 0, 8}, 2, g.parameters, this->ctx());
  runner.bind_results();
  runner.bind(g.x, std::vector<float>(12));
  runner.bind(g.z, std::vector<float>(24));
  EXPECT_THAT([&] { runner.run(); },
              ThrowsMessage<std::invalid_argument>(
                  AllOf(HasSubstr("segment 2 has 8 rows"), HasSubstr("the graph is for 6"))));
  EXPECT_NO_THROW(runner.executor().run(std::array<std::int64_t, 3>{4, 0, 6}));
}

// No part of a stack in each shard, no addition at the end of the phase.
TEST(RowPartnersOnceTest, AStackIsNoSum) {
  Graph graph;
  const Value x = graph.external("x", kWeak);
  const Value stacked = ops::stack_rows(graph, ops::relu(graph, x), 1000);
  const MemoryPlan plan = plan_memory(graph, {}, Cpu{}, std::array<std::int64_t, 1>{1000});
  EXPECT_EQ(plan.placements[static_cast<std::size_t>(stacked.id)].sum_offset, -1);
  EXPECT_EQ(plan.sums_bytes, 0);
  EXPECT_EQ(plan.shared_bytes, 12032);
}

}  // namespace
}  // namespace gradflip
