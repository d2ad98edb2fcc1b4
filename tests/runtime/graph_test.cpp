#include "runtime/graph.h"

#include <gtest/gtest.h>

#include "runtime/fusion.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/softmax_cross_entropy.h"

namespace gradflip {
namespace {

std::string failure(const std::function<void()>& build) {
  try {
    build();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(GraphTest, KnowsEveryShapeWhileItIsBuilt) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {28, 28, 3}, segment_rows(0)});
  const Value filter = graph.parameter(0, "filter", {5, 5, 3, 32});
  const Value y = ops::conv2d(graph, x, filter);
  EXPECT_EQ(graph.type(y), (ValueType{Dtype::kF32, {24, 24, 32}, segment_rows(0)}));
  const Value pooled = ops::max_pool2d(graph, y);
  EXPECT_EQ(graph.type(pooled).shape, (Shape{12, 12, 32}));
  EXPECT_EQ(graph.count("conv2d"), 1);
  EXPECT_NE(graph.text().find("conv2d(%0, %1)  f32 rows{0} x (24, 24, 32)"), std::string::npos)
      << graph.text();
}

TEST(GraphTest, RefusesShapesThatDoNotFitAndSaysBoth) {
  Graph graph;
  const Value x = graph.external("x", {Dtype::kF32, {28, 28, 3}, segment_rows(0)});
  const Value grey = graph.parameter(0, "filter", {5, 5, 1, 32});
  EXPECT_EQ(failure([&] { ops::conv2d(graph, x, grey); }),
            "conv2d: x has 3 channels, filter expects 1");
  const Value big = graph.parameter(1, "filter", {50, 50, 3, 32});
  EXPECT_NE(failure([&] { ops::conv2d(graph, x, big); }), "no error");
  const Value weight = graph.parameter(2, "weight", {10, 100});
  EXPECT_NE(failure([&] { ops::linear(graph, x, weight); }).find("(10, 100)"), std::string::npos);
  EXPECT_NE(failure([&] { ops::bias(graph, x, weight); }), "no error");
  EXPECT_NE(failure([&] { ops::add(graph, x, weight); }), "no error");
  EXPECT_NE(failure([&] { ops::slice_rows(graph, x, segment_rows(1)); }), "no error");
  EXPECT_NE(failure([&] { ops::softmax_cross_entropy(graph, x, x, 0.0F); }), "no error");
  EXPECT_NE(failure([&] { graph.type({99}); }), "no error");
}

TEST(ShapeTest, RefusesSizesThatOverflow) {
  EXPECT_THROW((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), std::invalid_argument);
  EXPECT_THROW((Shape{-1}), std::invalid_argument);
  EXPECT_EQ((Shape{0, 5}).size(), 0);
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_EQ((Shape{2, 3}).text(), "(2, 3)");
}

TEST(GraphTest, AParameterIsOfABank) {
  Graph graph;
  const Value copy = graph.parameter(0, "weight", {2, 3}, /*bank=*/2);
  EXPECT_EQ(graph.info(graph.parameter(0, "weight", {2, 3})).bank, 0);
  EXPECT_EQ(graph.info(copy).bank, 2);
  const Rewritten rewritten = fuse_conv_blocks(graph, {});
  EXPECT_EQ(rewritten.graph.info(rewritten(copy)).bank, 2);
  EXPECT_THROW(graph.parameter(0, "weight", {2, 3}, -1), std::invalid_argument);
}

}  // namespace
}  // namespace gradflip
