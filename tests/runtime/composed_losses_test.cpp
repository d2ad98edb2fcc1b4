// Losses put together from parts: their gradients against central differences of the same formula
// in double, with and without fusion, over several shards.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "runtime/objective.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/constant_rows.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/linear.h"
#include "runtime/ops/relu.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/ops/softmax_cross_entropy.h"
#include "tests/support/backends.h"
#include "tests/support/graph_runner.h"
#include "tests/support/losses.h"
#include "tests/support/random_data.h"

namespace gradflip {
namespace {

constexpr std::size_t kSourcePoints = 41, kTargetPoints = 37, kComposedInputs = 3,
                      kComposedHidden = 16, kComposedClasses = 4;
constexpr float kComposedLambda = 0.7F, kComposedSmoothing = 0.1F;

using Doubles = std::vector<double>;

// Weights (out, in) of three linear layers without biases, one after the other.
struct Weights {
  static constexpr std::size_t kExtractor = 0, kLabel = kComposedHidden * kComposedInputs,
                               kDomain = kLabel + kComposedClasses * kComposedHidden,
                               kSize = kDomain + kComposedHidden;
};

// What the network computes, in double.
struct Reference {
  Doubles weights;
  std::vector<float> x, row_weights;
  std::vector<std::int32_t> labels;

  Doubles hidden(std::size_t row) const {
    Doubles h(kComposedHidden, 0.0);
    for (std::size_t j = 0; j < kComposedHidden; ++j) {
      for (std::size_t i = 0; i < kComposedInputs; ++i) {
        h[j] +=
            weights[Weights::kExtractor + j * kComposedInputs + i] * x[row * kComposedInputs + i];
      }
      h[j] = std::max(h[j], 0.0);
    }
    return h;
  }
  double label_loss(std::size_t row) const {
    const Doubles h = hidden(row);
    Doubles logits(kComposedClasses, 0.0);
    double sum = 0.0, loss = 0.0;
    for (std::size_t k = 0; k < kComposedClasses; ++k) {
      for (std::size_t j = 0; j < kComposedHidden; ++j) {
        logits[k] += weights[Weights::kLabel + k * kComposedHidden + j] * h[j];
      }
      sum += std::exp(logits[k]);
    }
    for (std::size_t k = 0; k < kComposedClasses; ++k) {
      const bool right = static_cast<std::size_t>(labels[row]) == k;
      const double wanted = kComposedSmoothing / static_cast<double>(kComposedClasses) +
                            (right ? 1 - kComposedSmoothing : 0);
      loss -= wanted * (logits[k] - std::log(sum));
    }
    return loss;
  }
  double domain_loss(std::size_t row) const {
    const Doubles h = hidden(row);
    double z = 0.0;
    for (std::size_t j = 0; j < kComposedHidden; ++j) z += weights[Weights::kDomain + j] * h[j];
    return std::log1p(std::exp(row < kSourcePoints ? z : -z));  // source is domain 0
  }
  // |d domain logit / dx| of a row
  double slope(std::size_t row) const {
    const Doubles h = hidden(row);
    double squares = 0.0;
    for (std::size_t i = 0; i < kComposedInputs; ++i) {
      double dx = 0.0;
      for (std::size_t j = 0; j < kComposedHidden; ++j) {
        if (h[j] == 0.0) continue;
        dx +=
            weights[Weights::kDomain + j] * weights[Weights::kExtractor + j * kComposedInputs + i];
      }
      squares += dx * dx;
    }
    return std::sqrt(squares);
  }
};

double mean(std::size_t begin, std::size_t end, const std::function<double(std::size_t)>& of) {
  double sum = 0.0;
  for (std::size_t row = begin; row < end; ++row) sum += of(row);
  return sum / static_cast<double>(end - begin);
}

// The same network as a graph.
struct Network {
  Graph graph;
  Parameters parameters;
  Value source = graph.external("source", {Dtype::kF32, {kComposedInputs}, segment_rows(0)});
  Value target = graph.external("target", {Dtype::kF32, {kComposedInputs}, segment_rows(1)});
  Value labels = graph.external("labels", {Dtype::kI32, {}, segment_rows(0)});
  Value row_weights = graph.external("row weights", {Dtype::kF32, {}, segment_rows(0)});
  Value lambda = graph.external("lambda", {Dtype::kF32, {}, {}});
  std::array<Value, 3> weights;
  Value x, domain_logits, label_losses, domain_losses;

  Network() {
    weights = {weight("feature_extractor", {kComposedHidden, kComposedInputs}),
               weight("label_predictor", {kComposedClasses, kComposedHidden}),
               weight("domain_classifier", {1, kComposedHidden})};
    x = ops::concat_rows(graph, std::array{source, target});
    const Value h = ops::relu(graph, ops::linear(graph, x, weights[0]));
    const Value logits = ops::linear(graph, ops::slice_rows(graph, h, segment_rows(0)), weights[1]);
    label_losses = ops::softmax_cross_entropy(graph, logits, labels, kComposedSmoothing);
    domain_logits = ops::linear(graph, h, weights[2]);
    const std::array<ops::SegmentNumber, 2> domains{{{0, 0}, {1, 1}}};
    domain_losses = ops::bce_with_logits(graph, domain_logits, ops::constant_rows(graph, domains));
  }

 private:
  Value weight(const std::string& name, const Shape& shape) {
    const std::int32_t index = parameters.add(name, shape, FileLayout::same(shape), Uniform{1.0F});
    return graph.parameter(index, name, shape);
  }
};

struct Composition {
  const char* name;
  std::function<std::vector<Term>(Network&)> terms;
  std::function<double(const Reference&)> loss;
  std::int64_t fused;  // losses that become weighed_loss
};

std::vector<Composition> compositions() {
  const auto label_mean = [](const Reference& r) {
    return mean(0, kSourcePoints, [&](std::size_t row) { return r.label_loss(row); });
  };
  const auto domain_sum_of_means = [](const Reference& r) {
    const auto loss = [&](std::size_t row) { return r.domain_loss(row); };
    return mean(0, kSourcePoints, loss) + mean(kSourcePoints, kSourcePoints + kTargetPoints, loss);
  };
  return {
      {"lambda * L1 - L2 as one expression",
       [](Network& n) -> std::vector<Term> {
         const Value l1 = ops::mean_rows(n.graph, n.label_losses);
         const Value l2 = ops::sum_of_means(n.graph, n.domain_losses);
         return {{"loss", ops::subtract(n.graph, ops::scale(n.graph, l1, 1.0F, n.lambda), l2)}};
       },
       [=](const Reference& r) { return kComposedLambda * label_mean(r) - domain_sum_of_means(r); },
       2},
      {"terms with weights and times",
       [](Network& n) -> std::vector<Term> {
         return {{"label loss", ops::mean_rows(n.graph, n.label_losses), 0.25F},
                 {"domain loss", ops::sum_of_means(n.graph, n.domain_losses), -2.0F, n.lambda}};
       },
       [=](const Reference& r) {
         return 0.25 * label_mean(r) - 2.0 * kComposedLambda * domain_sum_of_means(r);
       },
       2},
      {"per-row weights",
       [](Network& n) -> std::vector<Term> {
         const Value weighed = ops::multiply(n.graph, n.label_losses, n.row_weights);
         return {{"loss", ops::mean_rows(n.graph, weighed)}};
       },
       [](const Reference& r) {
         return mean(0, kSourcePoints,
                     [&](std::size_t row) { return r.row_weights[row] * r.label_loss(row); });
       },
       0},
      {"log of a mean",
       [](Network& n) -> std::vector<Term> {
         const Value likelihood = ops::exp(n.graph, ops::scale(n.graph, n.domain_losses, -1.0F));
         return {{"loss", ops::log(n.graph, ops::mean_rows(n.graph, likelihood)), -1.0F}};
       },
       [](const Reference& r) {
         return -std::log(mean(0, kSourcePoints + kTargetPoints,
                               [&](std::size_t row) { return std::exp(-r.domain_loss(row)); }));
       },
       0},
      {"a ratio of two losses",
       [](Network& n) -> std::vector<Term> {
         const Value l1 = ops::mean_rows(n.graph, n.label_losses);
         const Value l2 = ops::sum_of_means(n.graph, n.domain_losses);
         return {{"loss", ops::divide(n.graph, l1, l2)}};
       },
       [=](const Reference& r) { return label_mean(r) / domain_sum_of_means(r); }, 0},
      {"a penalty on weights, which have no rows",
       [](Network& n) -> std::vector<Term> {
         const Value squares = ops::square(n.graph, n.weights[0]);
         return {{"label loss", ops::mean_rows(n.graph, n.label_losses)},
                 {"penalty", ops::sum_features(n.graph, squares), 0.5F}};
       },
       [=](const Reference& r) {
         double squares = 0.0;
         for (std::size_t i = 0; i < kComposedHidden * kComposedInputs; ++i) {
           squares += r.weights[i] * r.weights[i];
         }
         return label_mean(r) + 0.5 * squares;
       },
       1},
      {"gradient penalty, (|d critic / dx| - 1)^2",
       [](Network& n) -> std::vector<Term> {
         Graph& graph = n.graph;
         const Seed ones{n.domain_logits, ops::constant(graph, graph.type(n.domain_logits), 1.0F)};
         const Value dx = gradients(graph, std::span(&ones, 1), std::span(&n.x, 1))[0];
         const Value norm = ops::sqrt(graph, ops::sum_features(graph, ops::square(graph, dx)));
         const Value excess =
             ops::subtract(graph, norm, ops::constant(graph, graph.type(norm), 1.0F));
         return {{"label loss", ops::mean_rows(graph, n.label_losses)},
                 {"penalty", ops::mean_rows(graph, ops::square(graph, excess)), 10.0F}};
       },
       [=](const Reference& r) {
         return label_mean(r) + 10.0 * mean(0, kSourcePoints + kTargetPoints, [&](std::size_t row) {
                                  return (r.slope(row) - 1.0) * (r.slope(row) - 1.0);
                                });
       },
       1},
  };
}

Reference reference() {
  Reference r;
  for (const float w : random_floats(Weights::kSize, 1)) r.weights.push_back(w);
  r.x = random_floats((kSourcePoints + kTargetPoints) * kComposedInputs, 2);
  r.row_weights = random_floats(kSourcePoints, 3);
  r.labels = random_labels(kSourcePoints, kComposedClasses, 4);
  return r;
}

Doubles central_differences(const Composition& composition, Reference r) {
  constexpr double kStep = 1e-6;
  Doubles gradient;
  for (double& weight : r.weights) {
    const double before = weight;
    weight = before + kStep;
    const double above = composition.loss(r);
    weight = before - kStep;
    gradient.push_back((above - composition.loss(r)) / (2 * kStep));
    weight = before;
  }
  return gradient;
}

struct Computed {
  std::vector<float> gradients;
  std::int64_t fused = 0;

  friend bool operator==(const Computed&, const Computed&) = default;
};

Computed compute(const Context& context, const Composition& composition, const Reference& r,
                 bool fuse, int threads) {
  Network n;
  std::vector<Term> terms = composition.terms(n);
  Graph graph = n.graph;
  const std::vector<Value> bound{n.source, n.target, n.labels, n.row_weights, n.lambda};
  std::vector<Value> values = bound;
  values.insert(values.end(), n.weights.begin(), n.weights.end());
  if (fuse) {
    const Rewritten rewritten = fuse_losses(n.graph, values, terms);
    graph = rewritten.graph;
    for (Value& value : values) value = rewritten(value);
  }
  const std::vector<Value> wrt(values.begin() + 5, values.end());
  const std::vector<Value> dweights = gradients(graph, seeds_of(graph, terms), wrt);
  GraphRunner runner(graph, {kSourcePoints, kTargetPoints}, threads, n.parameters, context);
  std::vector<float> flat(static_cast<std::size_t>(n.parameters.flat_size()));
  std::size_t weight = 0;
  for (const Parameter& parameter : n.parameters.list()) {
    for (std::int64_t i = 0; i < parameter.shape.size(); ++i) {
      flat[static_cast<std::size_t>(parameter.offset + i)] =
          static_cast<float>(r.weights[weight++]);
    }
  }
  runner.set_weights(flat);
  const auto middle = r.x.begin() + static_cast<std::ptrdiff_t>(kSourcePoints * kComposedInputs);
  runner.bind(values[0], std::vector<float>(r.x.begin(), middle));
  runner.bind(values[1], std::vector<float>(middle, r.x.end()));
  runner.bind(values[2], r.labels);
  runner.bind(values[3], r.row_weights);
  runner.bind(values[4], std::vector<float>{kComposedLambda});
  runner.run();
  Computed computed{{}, graph.count("weighed_loss")};
  for (std::size_t i = 0; i < dweights.size(); ++i) {
    const auto size = static_cast<std::size_t>(graph.type(wrt[i]).shape.size());
    const std::vector<float> got =
        dweights[i].none() ? std::vector<float>(size, 0.0F) : runner.read(dweights[i]);
    computed.gradients.insert(computed.gradients.end(), got.begin(), got.end());
  }
  return computed;
}

template <typename Ctx>
class ComposedLossesTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(ComposedLossesTest, Backends, BackendNames);

TYPED_TEST(ComposedLossesTest, HaveTheGradientsOfTheirFormula) {
  const Reference r = reference();
  for (std::size_t row = 0; row < kSourcePoints + kTargetPoints; ++row) {
    ASSERT_GT(r.slope(row), 0.01) << "a norm has no derivative at zero";
  }
  for (const Composition& composition : compositions()) {
    const Doubles want = central_differences(composition, r);
    for (const bool fuse : {false, true}) {
      SCOPED_TRACE(std::string(composition.name) + (fuse ? ", fused" : ""));
      const Computed got = compute(this->ctx(), composition, r, fuse, 1);
      EXPECT_EQ(got.fused, fuse ? composition.fused : 0);
      ASSERT_EQ(got.gradients.size(), want.size());
      double largest = 0.0;
      for (const double x : want) largest = std::max(largest, std::abs(x));
      ASSERT_GT(largest, 1e-3);
      for (std::size_t i = 0; i < want.size(); ++i) {
        EXPECT_NEAR(got.gradients[i], want[i], 2e-5 * largest) << "weight " << i;
      }
    }
  }
}

TYPED_TEST(ComposedLossesTest, HaveTheSameBitsForAnyNumberOfThreads) {
  const Reference r = reference();
  for (const Composition& composition : compositions()) {
    SCOPED_TRACE(composition.name);
    const Computed once = compute(this->ctx(), composition, r, true, 1);
    for (const int threads : {2, 4, 8}) {
      EXPECT_EQ(compute(this->ctx(), composition, r, true, threads), once) << threads;
    }
  }
}

}  // namespace
}  // namespace gradflip
