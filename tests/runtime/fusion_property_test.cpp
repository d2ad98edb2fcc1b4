// Fusion of random networks: it never refuses what the unfused graph computes, and the results are
// the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <type_traits>

#include "kernels/gemm.h"
#include "kernels/philox.h"
#include "kernels/require.h"
#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "runtime/op.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/conv2d.h"
#include "runtime/ops/count_correct.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/grl.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/max_pool2d.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/softmax_cross_entropy.h"
#include "runtime/sharding.h"
#include "runtime/unfused.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

const Rows kBoth = segment_rows(0) | segment_rows(1);
const std::vector<std::int64_t> kPictures{5, 3};

// Pictures of two domains, perhaps convolutions, then several branches on the features, which
// differ in everything that a rewrite looks at.
class RandomNetwork {
 public:
  explicit RandomNetwork(std::uint32_t seed) : seed_(seed) {
    for (int domain = 0; domain < 2; ++domain) {
      inputs_.push_back(graph.external("x", {Dtype::kF32, {7, 6, 2}, segment_rows(domain)}));
    }
    lambda_ = graph.external("lambda", {Dtype::kF32, {}, {}});
    Value features = ops::concat_rows(graph, std::array{inputs_[0], inputs_[1]});
    for (std::uint32_t block = below(3); block > 0; --block) features = convolution(features);
    for (std::uint32_t branch = 1 + below(12); branch > 0; --branch) append_branch(features);
  }

  Graph graph;
  Parameters parameters;
  std::vector<Term> terms;
  std::vector<Value> shown;  // sums of losses, and counts

  void bind(GraphRunner& runner) const {
    runner.set_weights(random_floats(parameters.flat_size(), seed_ + 1));
    for (std::size_t domain = 0; domain < 2; ++domain) {
      runner.bind(inputs_[domain], random_floats(kPictures[domain] * 84, seed_ * 2 + domain));
    }
    runner.bind(lambda_, std::vector<float>{0.5F});
  }

 private:
  std::uint32_t below(std::uint32_t bound) {
    return philox4x32({next_++, 0, 0, 0}, {seed_, 0})[0] % bound;
  }
  template <std::size_t N>
  std::int64_t one_of(const std::array<std::int64_t, N>& choices) {
    return choices[below(N)];
  }

  Value parameter(const Shape& shape) {
    const std::string name = message("p", parameters.list().size());
    const std::int32_t index = parameters.add(name, shape, FileLayout::same(shape), Uniform{1.0F});
    return graph.parameter(index, name, shape);
  }

  Value convolution(Value x) {
    const Shape shape = graph.type(x).shape;
    const std::int64_t R = 1 + below(2), S = 1 + below(2), K = 1 + below(4);
    if (shape[0] < 4 || shape[1] < 4) return x;
    const Value y = ops::conv2d(graph, x, parameter({R, S, shape[2], K}));
    const Value activated = ops::relu(graph, ops::bias(graph, y, parameter({K})));
    const std::int64_t window_h = 1 + below(3), window_w = 1 + below(3);
    ops::Pool2dGeometry pool{window_h, window_w, window_h, window_w};
    if (below(4) == 0) pool.stride_h = 1;
    return below(6) == 0 ? activated : ops::max_pool2d(graph, activated, pool);
  }

  Value layer(Value x, std::int64_t out) {
    const Value y = ops::linear(graph, x, parameter({out, graph.type(x).shape.size()}));
    return ops::bias(graph, y, parameter({out}));
  }

  void append_branch(Value x) {
    if (below(3) == 0) x = ops::slice_rows(graph, x, segment_rows(static_cast<int>(below(2))));
    for (std::uint32_t reversals = below(6) == 0 ? 2 : below(2); reversals > 0; --reversals) {
      x = ops::grl(graph, x, lambda_);
    }
    for (std::uint32_t hidden = below(6); hidden > 0; --hidden) {
      x = ops::relu(graph, layer(x, one_of(std::array<std::int64_t, 5>{1, 3, 8, 8, 257})));
    }
    append_loss(x);
  }

  void append_loss(Value x) {
    const bool binary = below(2) == 0;
    const Value logits = layer(x, binary ? 1 : one_of(std::array<std::int64_t, 3>{2, 10, 65}));
    if (below(5) == 0) {
      const Value squares = ops::sum_features(graph, ops::square(graph, logits));
      return append_term(ops::sum_rows(graph, squares, ops::scaled({}, 0.5F)));
    }
    const Value losses = row_losses(logits, binary);
    if (below(2) == 0) shown.push_back(ops::sum_rows(graph, losses));
    append_term(summed(losses, logits));
  }

  Value row_losses(Value logits, bool binary) {
    std::vector<ops::SegmentNumber> numbers;
    for (int segment = 0; segment < 2; ++segment) {
      if (graph.type(logits).rows.contains_segment(segment)) numbers.push_back({segment, segment});
    }
    if (binary) {
      const Value labels = ops::constant_rows(graph, numbers);
      if (below(2) == 0) shown.push_back(ops::count_correct_binary(graph, logits, labels));
      return ops::bce_with_logits(graph, logits, labels);
    }
    const Value labels = ops::constant_labels(graph, numbers);
    if (below(2) == 0) shown.push_back(ops::count_correct(graph, logits, labels));
    return ops::softmax_cross_entropy(graph, logits, labels, 0.1F);
  }

  // Most often as a rewrite can take it in, sometimes as it cannot.
  Value summed(Value losses, Value logits) {
    ops::RowWeights weights{.over = static_cast<ops::Over>(below(3))};
    weights.weights[1] = 0.25F;
    switch (below(8)) {
      case 0:
        return ops::log(graph, ops::mean_rows(graph, losses));
      case 1: {
        const Value sizes = ops::sum_features(graph, ops::square(graph, logits));
        return ops::sum_rows(graph, ops::multiply(graph, losses, sizes), weights);
      }
      default:
        return ops::sum_rows(graph, losses, weights);
    }
  }

  void append_term(Value loss) {
    Term term{"loss", loss, below(2) == 0 ? 1.0F : 0.3F};
    if (below(3) == 0) term.times = lambda_;
    if (!terms.empty() && below(4) == 0) {  // with the one before, as one expression
      const Value scaled = ops::scale(graph, loss, 0.5F, term.times);
      Value& before = terms.back().loss;
      before =
          below(2) == 0 ? ops::subtract(graph, before, scaled) : ops::add(graph, before, scaled);
      return;
    }
    terms.push_back(term);
  }

  std::uint32_t seed_, next_ = 0;
  std::vector<Value> inputs_;
  Value lambda_;
};

template <typename Ctx>
class FusionPropertyTest : public BackendTest<Ctx> {
 protected:
  static constexpr bool kOnCpu = std::is_same_v<Ctx, Cpu>;

  // What is shown and the gradients, one after the other.
  std::vector<std::vector<float>> results(const RandomNetwork& network, bool fuse) {
    Graph graph = network.graph;
    std::vector<Value> values = network.shown;
    std::vector<Term> terms = network.terms;
    std::vector<Value> wrt;
    const auto apply = [&](const auto& rewrite) {
      if (!fuse) return;
      std::vector<Value> keep = values;
      for (const Term& term : terms) keep.insert(keep.end(), {term.loss, term.times});
      const Rewritten rewritten = rewrite(graph, std::span<const Value>(keep));
      for (Value& value : values) value = rewritten(value);
      for (Term& term : terms) {
        term.loss = rewritten(term.loss);
        term.times = rewritten(term.times);
      }
      graph = rewritten.graph;
    };
    apply(fuse_conv_blocks);
    if (fuse) {
      const Rewritten rewritten = fuse_losses(graph, values, terms);
      for (Value& value : values) value = rewritten(value);
      graph = rewritten.graph;
    }
    if (batch_cut(Context(this->ctx())).whole()) apply(fuse_heads);
    for (std::int32_t id = 0; id < graph.num_values(); ++id) {
      if (graph.info({id}).kind == ValueKind::kParameter) wrt.push_back({id});
    }
    for (const Value gradient : gradients(graph, seeds_of(graph, terms), wrt)) {
      values.push_back(gradient);
    }
    terms.clear();
    for (std::size_t i = 0; i < wrt.size(); ++i) {
      graph.mark_gradient(values[values.size() - wrt.size() + i], graph.info(wrt[i]).parameter);
    }
    apply(fuse_linear_merges);
    for (const Unfused& left : unfused(graph, /*whole_batch=*/true)) {
      EXPECT_FALSE(left.what.empty() || left.why.empty()) << left.what << ": " << left.why;
    }
    for (const char* op : {"conv_block", "weighed_loss", "heads", "linear_merge"})
      fused_[op] += graph.count(op);
    GraphRunner runner(graph, kPictures, 1, network.parameters, this->ctx());
    network.bind(runner);
    runner.run();
    std::vector<std::vector<float>> read;
    for (const Value value : values) read.push_back(runner.read(value));
    return read;
  }

  void expect_same(std::uint32_t seed) {
    SCOPED_TRACE(seed);
    const RandomNetwork network(seed);
    std::vector<std::vector<float>> unfused, fused;
    ASSERT_NO_THROW(unfused = results(network, false));
    ASSERT_NO_THROW(fused = results(network, true));
    ASSERT_EQ(fused.size(), unfused.size());
    for (std::size_t i = 0; i < fused.size(); ++i) {
      ASSERT_EQ(fused[i].size(), unfused[i].size()) << "result " << i;
      double largest = 0.0, apart = 0.0;
      for (std::size_t j = 0; j < unfused[i].size(); ++j) {
        largest = std::max(largest, std::abs(static_cast<double>(unfused[i][j])));
        const double difference = std::abs(static_cast<double>(fused[i][j]) - unfused[i][j]);
        apart = difference > apart || std::isnan(difference) ? difference : apart;
      }
      EXPECT_LE(apart, 1e-4 * largest + 1e-6) << "result " << i;
    }
  }

  // How many nodes of each kind fusion made, of all networks.
  std::map<std::string, std::int64_t> fused_;
};
TYPED_TEST_SUITE(FusionPropertyTest, Backends, BackendNames);

TYPED_TEST(FusionPropertyTest, RandomNetworksComputeTheSame) {
  const std::uint32_t networks = this->kOnCpu ? 60 : 2;
  for (std::uint32_t seed = 1; seed <= networks && !this->HasFailure(); ++seed) {
    this->expect_same(seed);
  }
  EXPECT_GT(this->fused_["conv_block"], 0);
  EXPECT_GT(this->fused_["linear_merge"], 0);
  EXPECT_GT(this->fused_["weighed_loss"], 0);
  if (!this->kOnCpu) {
    EXPECT_GT(this->fused_["heads"], 0);  // where batches stay whole
  }
}

// As many linear layers on one value as one merge takes, one more, and many more.
TEST(FusionPropertyTest, ALongSumOfLinearGradientsIsMergedAsFarAsAMergeTakes) {
  constexpr auto kMost = static_cast<std::int64_t>(kMaxGemmTerms);
  for (const std::int64_t layers : {kMost, kMost + 1, 2 * kMost + 3}) {
    Graph graph;
    const Value x = graph.external("x", {Dtype::kF32, {3}, segment_rows(0)});
    const Value h = ops::relu(graph, x);
    std::vector<Value> losses;
    for (std::int32_t i = 0; i < layers; ++i) {
      const Value weight = graph.parameter(i, message("w", i), {2, 3});
      losses.push_back(sum_all(graph, ops::linear(graph, h, weight)));
    }
    const Value dx = gradients_of(graph, losses, std::span(&x, 1))[0];
    const Rewritten fused = fuse_linear_merges(graph, std::span(&dx, 1));
    EXPECT_EQ(fused.graph.count("linear_merge"), 1);
    EXPECT_EQ(fused.graph.count("add"), layers - kMost);
  }
}

}  // namespace
}  // namespace gradflip
