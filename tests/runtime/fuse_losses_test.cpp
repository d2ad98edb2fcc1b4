#include <gtest/gtest.h>

#include <array>

#include "runtime/autodiff.h"
#include "runtime/fusion.h"
#include "runtime/objective.h"
#include "runtime/ops/bce_with_logits.h"
#include "runtime/ops/bias.h"
#include "runtime/ops/elementwise.h"
#include "runtime/ops/row_sums.h"
#include "runtime/ops/schedule.h"
#include "runtime/ops/softmax_cross_entropy.h"
#include "runtime/ops/stop_gradient.h"
#include "runtime/ops/weighed_loss.h"

namespace gradflip {
namespace {

struct Losses {
  Graph graph;
  Value logits = graph.external("logits", {Dtype::kF32, {3}, segment_rows(0)});
  Value labels = graph.external("labels", {Dtype::kI32, {}, segment_rows(0)});
  Value step = graph.external("step", {Dtype::kI64, {}, {}});
  Value rows = ops::softmax_cross_entropy(graph, logits, labels, 0.1F);
};

TEST(FuseLossesTest, ATermAndWhatIsShownOfItAreOnePass) {
  Losses l;
  const Value shown = ops::sum_rows(l.graph, l.rows);
  std::vector<Term> terms{{"label loss", ops::mean_rows(l.graph, l.rows), 0.5F}};
  const Rewritten fused = fuse_losses(l.graph, std::span(&shown, 1), terms);
  EXPECT_EQ(fused.graph.nodes().size(), 1U);
  EXPECT_EQ(fused(shown), terms[0].loss);
  EXPECT_EQ(terms[0].weight, 1.0F) << "the operation has it";
  EXPECT_EQ(terms[0].name, "label loss");
  const auto* weighed = attributes_of<ops::WeighedLossAttributes>(*fused.graph.nodes()[0].op);
  ASSERT_NE(weighed, nullptr);
  EXPECT_EQ(weighed->weights.over, ops::Over::kRows);
  EXPECT_EQ(weighed->weights.weights[0], 0.5F);
}

// Of smoothed labels the losses without are shown, which the one pass makes, too.
TEST(FuseLossesTest, SmoothedLabelsAreShownWithout) {
  Graph graph;
  const Value logits = graph.external("logits", {Dtype::kF32, {1}, segment_rows(0)});
  const Value labels = graph.external("labels", {Dtype::kF32, {}, segment_rows(0)});
  const auto bce = ops::smoothed_bce_with_logits(graph, logits, labels, 0.2F);
  EXPECT_FALSE(bce.plain == bce.losses);
  const Value shown = ops::sum_rows(graph, bce.plain);
  std::vector<Term> terms{{"domain loss", ops::mean_rows(graph, bce.losses)}};
  const Rewritten fused = fuse_losses(graph, std::span(&shown, 1), terms);
  EXPECT_EQ(fused.graph.nodes().size(), 1U);
  EXPECT_EQ(fused(shown), terms[0].loss);
  const auto* weighed = attributes_of<ops::WeighedLossAttributes>(*fused.graph.nodes()[0].op);
  ASSERT_NE(weighed, nullptr);
  EXPECT_EQ(std::get<ops::BceWithLogitsAttributes>(weighed->loss).label_smoothing, 0.2F);
}

// The one pass makes no sum of what is smoothed, and none that a term could be.
TEST(FuseLossesTest, LeavesSmoothedLossesThatAreShown) {
  for (int reader = 0; reader < 3; ++reader) {
    Graph graph;
    const Value logits = graph.external("logits", {Dtype::kF32, {1}, segment_rows(0)});
    const Value labels = graph.external("labels", {Dtype::kF32, {}, segment_rows(0)});
    const auto bce = ops::smoothed_bce_with_logits(graph, logits, labels, 0.2F);
    std::vector<Term> terms{{"loss", ops::mean_rows(graph, bce.losses)}};
    std::vector<Value> keep;
    if (reader == 0) keep.push_back(ops::sum_rows(graph, bce.losses));
    if (reader == 1) keep.push_back(ops::square(graph, bce.plain));
    if (reader == 2) terms[0].loss = ops::mean_rows(graph, bce.plain);
    EXPECT_EQ(fuse_losses(graph, keep, terms).graph.count("weighed_loss"), 0) << reader;
  }
}

// A schedule may be evaluated behind the loss that it weighs, and weigh others, too.
TEST(FuseLossesTest, BringsForwardWhatWeighsALoss) {
  Losses l;
  const Value more = ops::softmax_cross_entropy(l.graph, l.logits, l.labels, 0.2F);
  std::vector<Term> terms{{"first", ops::mean_rows(l.graph, l.rows)},
                          {"second", ops::mean_rows(l.graph, more)}};
  const Value lambda = ops::evaluate_schedule(l.graph, l.step, {.start = 0.5});
  for (Term& term : terms) term.times = lambda;
  const Rewritten fused = fuse_losses(l.graph, std::span(&lambda, 1), terms);
  EXPECT_EQ(fused.graph.count("weighed_loss"), 2);
  EXPECT_EQ(fused.graph.count("evaluate_schedule"), 1);
  EXPECT_EQ(fused.graph.nodes().size(), 3U);
  EXPECT_FALSE(fused(lambda).none());
}

TEST(FuseLossesTest, TakesAnExpressionApart) {
  Losses l;
  const Value more = ops::softmax_cross_entropy(l.graph, l.logits, l.labels, 0.2F);
  const Value first = ops::mean_rows(l.graph, l.rows);
  const Value second = ops::scale(l.graph, ops::sum_of_means(l.graph, more), 2.0F);
  const Value loss = ops::subtract(l.graph, first, second);
  std::vector<Term> terms{{"loss", loss, 3.0F}};
  const Rewritten fused = fuse_losses(l.graph, {}, terms);
  EXPECT_EQ(fused.graph.count("weighed_loss"), 2);
  EXPECT_EQ(fused.graph.nodes().size(), 2U);
  ASSERT_EQ(terms.size(), 2U);
  std::vector<float> weights;
  for (const Node& node : fused.graph.nodes()) {
    weights.push_back(attributes_of<ops::WeighedLossAttributes>(*node.op)->weights.weights[0]);
  }
  EXPECT_EQ(weights, (std::vector<float>{3.0F, -6.0F}));
}

// What somebody reads stays, whoever that is.
TEST(FuseLossesTest, LeavesLossesThatAreReadElsewhere) {
  for (int reader = 0; reader < 4; ++reader) {
    Losses l;
    const Value mean = ops::mean_rows(l.graph, l.rows);
    std::vector<Value> keep;
    if (reader == 0) keep.push_back(mean);
    if (reader == 1) keep.push_back(l.rows);
    if (reader == 2) keep.push_back(ops::square(l.graph, l.rows));
    std::vector<Term> terms{{"loss", mean, 0.5F}};
    if (reader == 3) terms.push_back({"again", mean});
    const Rewritten fused = fuse_losses(l.graph, keep, terms);
    EXPECT_EQ(fused.graph.count("weighed_loss"), 0) << reader;
    EXPECT_EQ(terms[0].weight, 0.5F) << reader;
    for (const Value value : keep) EXPECT_FALSE(fused(value).none());
  }
}

// The sum for show cannot wait for the term's.
TEST(FuseLossesTest, LeavesASumThatIsReadBeforeTheTerm) {
  Losses l;
  const Value shown = ops::sum_rows(l.graph, l.rows);
  const Value squared = ops::square(l.graph, shown);
  std::vector<Term> terms{{"loss", ops::mean_rows(l.graph, l.rows)}};
  const Rewritten fused = fuse_losses(l.graph, std::span(&squared, 1), terms);
  EXPECT_EQ(fused.graph.count("weighed_loss"), 0);
}

// What a gradient goes through is no sum for show: the loss that is one has none of its own.
TEST(FuseLossesTest, LeavesASumThatAGradientGoesThrough) {
  for (int through = 0; through < 3; ++through) {
    Losses l;
    const Value mean = ops::mean_rows(l.graph, l.rows), sum = ops::sum_rows(l.graph, l.rows);
    std::vector<Term> terms{{"mean", mean}};
    if (through == 0) terms.push_back({"sum", sum});
    if (through == 1) terms.push_back({"log", ops::log(l.graph, sum)});
    if (through == 2) terms[0].loss = ops::add(l.graph, mean, sum);
    Rewritten fused = fuse_losses(l.graph, {}, terms);
    ASSERT_EQ(terms.size(), 2U);
    EXPECT_EQ(fused.graph.count("weighed_loss"), 0) << through;
    EXPECT_FALSE(terms[0].loss == terms[1].loss) << through;
    const Value logits = fused(l.logits);
    EXPECT_FALSE(
        gradients(fused.graph, seeds_of(fused.graph, terms), std::span(&logits, 1))[0].none());
    EXPECT_EQ(fused.graph.count("spread_rows"), 2) << through << ", a gradient of each term";
  }
}

// A term may be weighed by its own loss, as a constant.
TEST(FuseLossesTest, LeavesASumThatWeighsATerm) {
  for (int between = 0; between < 4; ++between) {
    Losses l;
    const Value early = ops::sum_rows(l.graph, l.rows);
    const Value mean = ops::mean_rows(l.graph, l.rows), late = ops::sum_rows(l.graph, l.rows);
    const Value sum = between < 2 ? early : late;
    const Value times = between % 2 == 0 ? sum : ops::stop_gradient(l.graph, sum);
    std::vector<Term> terms{{"loss", mean, 1.0F, times}};
    Rewritten fused;
    ASSERT_NO_THROW(fused = fuse_losses(l.graph, {}, terms)) << between;
    EXPECT_EQ(fused.graph.count("weighed_loss"), 0) << between;
  }
}

// A term's weight is a constant, whatever made it.
TEST(FuseLossesTest, AWeightHasNoGradient) {
  Losses l;
  const Value offset = l.graph.parameter(0, "offset", {3});
  const Value logits = ops::bias(l.graph, l.logits, offset);
  const Value sizes = ops::sum_features(l.graph, ops::square(l.graph, logits));
  const Value times = ops::mean_rows(l.graph, sizes);
  const Value rows = ops::softmax_cross_entropy(l.graph, logits, l.labels);
  std::vector<Term> terms{{"loss", ops::mean_rows(l.graph, rows), 1.0F, times}};
  Rewritten fused = fuse_losses(l.graph, {}, terms);
  EXPECT_EQ(fused.graph.count("weighed_loss"), 1);
  const Value wrt = fused(offset);
  EXPECT_NO_THROW(gradients(fused.graph, seeds_of(fused.graph, terms), std::span(&wrt, 1)));
}

}  // namespace
}  // namespace gradflip
