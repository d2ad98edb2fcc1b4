#include "runtime/ops/gather.h"

#include <gtest/gtest.h>

#include <array>
#include <stdexcept>

#include "runtime/ops/sample.h"

namespace gradflip {
namespace {

constexpr std::array<std::int64_t, 2> kBatch{3, 2}, kCount{7, 5};

Sampler sampler_of(std::size_t segment) {
  return {.seed = 3,
          .stream = static_cast<std::uint32_t>(segment),
          .size = kCount[segment],
          .batch = kBatch[segment]};
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
