// Rows of data sets picked by the step's samples, as a graph does it.
#include "runtime/ops/gather.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <stdexcept>
#include <vector>

#include "runtime/ops/concat_rows.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/sample.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"
#include "tests/support/reference/sums.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::array<std::int64_t, 2> kBatch{3, 2}, kCount{7, 5};
const std::vector<Shape> kRowShapes = {{}, {2}, {3, 1, 5}};

Sampler sampler_of(std::size_t segment) {
  return {.seed = 3,
          .stream = static_cast<std::uint32_t>(segment),
          .size = kCount[segment],
          .batch = kBatch[segment]};
}

Shape stacked(std::int64_t count, const Shape& row) {
  std::vector<std::int64_t> extents{count};
  for (int axis = 0; axis < row.rank(); ++axis) extents.push_back(row[axis]);
  return Shape(extents);
}

template <typename Ctx>
class GatherRowsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(GatherRowsTest, Backends, BackendNames);

TYPED_TEST(GatherRowsTest, TakesTheStepsRowsOfEverySource) {
  constexpr std::int64_t kStep = 2;
  for (const Shape& row : kRowShapes) {
    SCOPED_TRACE(row.text());
    Graph graph;
    const Value step = graph.external("step", {Dtype::kI64, {}, {}});
    std::vector<ops::RowSource> sources;
    std::vector<Value> weight_values;
    std::vector<std::vector<float>> data, weights;
    reference::Sums want(1);
    for (std::size_t segment = 0; segment < kBatch.size(); ++segment) {
      const Value rows = graph.external("rows", {Dtype::kF32, stacked(kCount[segment], row), {}});
      const Sampler sampler = sampler_of(segment);
      sources.push_back(
          {rows, ops::sample_indices(graph, step, static_cast<int>(segment), sampler)});
      data.push_back(random_floats(kCount[segment] * row.size(), segment + 1));
      // Of each place in the batch, so that rows that change places show.
      weight_values.push_back(
          graph.external("weights", {Dtype::kF32, row, segment_rows(static_cast<int>(segment))}));
      weights.push_back(random_floats(kBatch[segment] * row.size(), segment + 3));
      for (std::int64_t r = 0; r < kBatch[segment]; ++r) {
        const std::int64_t index = sample_index(sampler, kStep * kBatch[segment] + r);
        for (std::int64_t d = 0; d < row.size(); ++d) {
          want.add(0, static_cast<double>(data.back().at(index * row.size() + d)) *
                          weights.back().at(r * row.size() + d));
        }
      }
    }
    const Value x = ops::gather_rows(graph, sources);
    EXPECT_EQ(graph.type(x), (ValueType{Dtype::kF32, row, {0b11}}));
    const Value weight = ops::concat_rows(graph, weight_values);
    const Value loss = sum_all(graph, ops::multiply(graph, x, weight));
    GraphRunner runner(graph, {kBatch.begin(), kBatch.end()}, 1, {}, this->ctx());
    runner.bind(step, std::vector<std::int64_t>{kStep});
    for (std::size_t segment = 0; segment < kBatch.size(); ++segment) {
      runner.bind(sources[segment].data, data[segment]);
      runner.bind(weight_values[segment], weights[segment]);
    }
    runner.run();
    EXPECT_TRUE(all_close(runner.read(loss), want, kSum));
  }
}

TEST(GatherRowsTypes, SourcesThatDoNotFitAreNamed) {
  Graph graph;
  const Value step = graph.external("step", {Dtype::kI64, {}, {}});
  const Value two = graph.external("two", {Dtype::kF32, {7, 2}, {}});
  const Value three = graph.external("three", {Dtype::kF32, {5, 3}, {}});
  const Value bytes = graph.external("bytes", {Dtype::kU8, {7, 2}, {}});
  const Value scalar = graph.external("scalar", {Dtype::kF32, {}, {}});
  const Value first = ops::sample_indices(graph, step, 0, sampler_of(0));
  const Value second = ops::sample_indices(graph, step, 1, sampler_of(1));
  const auto gather = [&](const std::vector<ops::RowSource>& sources) {
    return [&graph, sources] { ops::gather_rows(graph, sources); };
  };
  const auto refused = [](const char* text) {
    return ThrowsMessage<std::invalid_argument>(HasSubstr(text));
  };
  EXPECT_THAT(gather({}), refused("no source"));
  EXPECT_THAT(gather({{two, first}, {three, second}}), refused("expected f32 (count, ...) of (2)"));
  EXPECT_THAT(gather({{bytes, first}}), refused("expected f32"));
  EXPECT_THAT(gather({{scalar, first}}), refused("expected f32"));
  EXPECT_THAT(gather({{two, second}, {two, first}}), refused("segments must ascend"));
  EXPECT_NO_THROW(gather({{two, first}, {two, second}})());
}

TEST(GatherNormalizeTypes, ThereAreAsManyScalesAsMeans) {
  Graph graph;
  const Value step = graph.external("step", {Dtype::kI64, {}, {}});
  const Value images = graph.external("images", {Dtype::kU8, {7, 17, 9, 5}, {}});
  const Value mean = graph.external("mean", {Dtype::kF32, {5}, {}});
  const Value scale = graph.external("scale", {Dtype::kF32, {5}, {}});
  const Value few = graph.external("few", {Dtype::kF32, {3}, {}});
  const std::array<ops::ImageSource, 1> sources{
      {{images, ops::sample_indices(graph, step, 0, sampler_of(0))}}};
  const Value x = ops::gather_normalize(graph, sources, mean, scale);
  EXPECT_EQ(graph.type(x), (ValueType{Dtype::kF32, {17, 9, 5}, segment_rows(0)}));
  EXPECT_THROW(ops::gather_normalize(graph, sources, mean, few), std::invalid_argument);
  EXPECT_THROW(ops::gather_normalize(graph, sources, few, scale), std::invalid_argument);
  EXPECT_THROW(ops::gather_normalize(graph, sources, few, few), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
