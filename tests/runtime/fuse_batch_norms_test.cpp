#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "runtime/fusion.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/moments.h"
#include "runtime/ops/relu.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

constexpr float kKnownEpsilon = 1e-5F;

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
        graph, between, ops::known_moments(graph, std::span(&known, 1), kKnownEpsilon),
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

template <typename Ctx>
class FuseBatchNormsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(FuseBatchNormsTest, Backends, BackendNames);

TYPED_TEST(FuseBatchNormsTest, KnownStatisticsFoldIntoTheLayerAhead) {
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

TYPED_TEST(FuseBatchNormsTest, TheRectifierBehindIsTakenIn) {
  const KnownNorm norm(true);
  const Rewritten fused = fuse_batch_norms(norm.graph, std::span(&norm.y, 1));
  EXPECT_EQ(fused.graph.count("relu"), 0);
  EXPECT_EQ(norm.run(fused.graph, fused(norm.x), fused(norm.y), this->ctx()),
            norm.run(norm.graph, norm.x, norm.y, this->ctx()));
}

}  // namespace
}  // namespace gradflip
