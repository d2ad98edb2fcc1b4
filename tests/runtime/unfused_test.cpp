// Each limit of the rewrites is missed by one graph, which says so.
#include "runtime/unfused.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/compile.h"
#include "runtime/op.h"
#include "runtime/ops/check_finite.h"
#include "runtime/ops/record.h"
#include "tests/support/paper_step.h"

namespace gradflip {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const CompileOptions kAsOnAGpu{.whole_batch = true, .record_capacity = 4};

std::vector<std::string> unfused_lines(const PaperStep& step,
                                       const CompileOptions& options = kAsOnAGpu) {
  const Compiled compiled = compile(step.draft, step.parameters, options);
  std::vector<std::string> lines;
  for (const Unfused& left : unfused(compiled.graph, options.whole_batch)) {
    lines.push_back(left.what + ": " + left.why);
  }
  return lines;
}

const char* const kOutside = "a value between its nodes is read outside of the graph";

TEST(UnfusedTest, NothingIsLeftOfThePapersStep) {
  const PaperStep step;
  EXPECT_THAT(unfused_lines(step), IsEmpty());
  EXPECT_THAT(unfused_lines(step, {.whole_batch = false, .record_capacity = 4}), IsEmpty());
  EXPECT_EQ(compile(step.draft, step.parameters, kAsOnAGpu).graph.nodes().size(), 9U);
}

TEST(UnfusedTest, EverythingIsLeftWithoutFusion) {
  const PaperStep step;
  const Compiled compiled =
      compile(step.draft, step.parameters, {.fuse = false, .record_capacity = 4});
  std::vector<std::string> left;
  for (const Unfused& one : unfused(compiled.graph, true)) left.push_back(one.what);
  EXPECT_THAT(left, ElementsAre("gather_normalize", "conv2d feature_extractor.conv1",
                                "conv2d feature_extractor.conv2",
                                "softmax_cross_entropy label_predictor.fc3",
                                "bce_with_logits domain_classifier.fc2", "grl_backward",
                                "add of input gradients", "update"));
}

TEST(UnfusedTest, TellsOfPools) {
  const auto told = [](const ops::Pool2dGeometry& pool) {
    return unfused_lines(PaperStep({.pool = pool}));
  };
  const std::string conv1 = "conv_layer feature_extractor.conv1: ";
  EXPECT_THAT(told({3, 3, 2, 2}), Contains(conv1 + "the pool's windows overlap (3x3, stride 2x2)"));
  EXPECT_THAT(told({2, 2, 2, 3}),
              Contains(conv1 + "the pool's windows leave gaps (2x2, stride 2x3)"));
  EXPECT_THAT(told({2, 2, 2, 2, 1, 1}), Contains(conv1 + "the pool is padded (1x1)"));
  EXPECT_THAT(
      unfused_lines(PaperStep({.conv = {.pad_h = 40, .pad_w = 40}, .pool = {16, 16, 16, 16}})),
      Contains(conv1 + "the pool's windows are 16x16, of at most 254 positions"));
}

TEST(UnfusedTest, TellsOfConvolutions) {
  EXPECT_THAT(unfused_lines(PaperStep({.has_bias = false})),
              Contains("conv_layer feature_extractor.conv1: it has no bias"));
  // A convolution without a pool is as fused as it can be.
  EXPECT_THAT(unfused_lines(PaperStep({.has_third_conv = true})),
              ElementsAre(HasSubstr("update: the gradient of feature_extractor.conv3.weight is "
                                    "written by conv2d_backward_filter")));
  PaperStep looked_into;
  looked_into.report("loudness", ops::sum_features(looked_into.graph(), looked_into.relus[1]));
  EXPECT_THAT(unfused_lines(looked_into),
              Contains("conv_layer feature_extractor.conv2: what conv_layer makes has 2 readers, "
                       "not the pool alone"));
  PaperStep shown;
  for (const Node& node : shown.graph().nodes()) {
    if (node.op->name() == "max_pool2d") shown.graph().mark_result(node.outputs[1]);
  }
  EXPECT_THAT(
      unfused_lines(shown),
      Contains("conv_layer feature_extractor.conv1: another node reads the pool's winners"));
  PaperStep read;
  read.draft.reads.push_back(read.relus[1]);
  EXPECT_THAT(unfused_lines(read),
              ElementsAre(std::string("conv_layer feature_extractor.conv2: ") + kOutside,
                          HasSubstr("update: the gradient of feature_extractor.conv2.weight is "
                                    "written by conv2d_backward_filter")));
}

TEST(UnfusedTest, TellsOfTheHeadOfAStep) {
  const auto tells = [](const PaperStep& step, const std::string& why) {
    EXPECT_THAT(unfused_lines(step), ElementsAre("gather_normalize: " + why));
  };
  tells(PaperStep({.channels = 52}),
        "a row of the filter has 260 numbers (5 x 52 channels), of at most 256");
  tells(PaperStep({.conv = {.dilation_w = 2}}),
        "the filter's columns are 2 apart, must be neighbours");
  tells(PaperStep({.is_sampled = false}), "a segment's indices are not sampled (sample_indices)");
  tells(PaperStep({.is_one_step = false}), "segments follow two step counters");
  tells(PaperStep({.has_computed_mean = true}), "the mean or scale is computed");
  PaperStep looked_at;
  looked_at.report("brightness", ops::sum_features(looked_at.graph(), looked_at.pictures));
  tells(looked_at, "the pictures have 2 readers, not one convolution block alone");
  PaperStep twice;
  const Value other = twice.graph().external("other labels", {Dtype::kI32, {100}, {}});
  ops::gather_labels(twice.graph(), other, twice.indices[0]);
  tells(twice, "a segment's labels are gathered twice");
  PaperStep more;
  const Value rows = more.graph().external("rows", {Dtype::kF32, {100, 7}, {}});
  const std::array<ops::RowSource, 1> sources{{{rows, more.indices[0]}}};
  more.report("more", ops::sum_features(more.graph(), ops::gather_rows(more.graph(), sources)));
  tells(more, "a segment's indices are read for more than its pictures and labels");
  PaperStep read;
  read.draft.reads.push_back(read.pictures);
  tells(read, kOutside);
  EXPECT_THAT(unfused_lines(PaperStep({.has_computed_filter = true})),
              Contains("gather_normalize: the first convolution's filter or bias is computed, no "
                       "parameter"));
  EXPECT_THAT(unfused_lines(PaperStep({.pool = {3, 3, 2, 2}})),
              Contains("gather_normalize: the pictures go into no convolution block"));
}

TEST(UnfusedTest, TellsOfSchedulesBesideTheHead) {
  PaperStep step;
  for (int i = 0; i < 6; ++i) ops::evaluate_schedule(step.graph(), step.draft.step, {});
  EXPECT_THAT(unfused_lines(step), IsEmpty());
  ops::evaluate_schedule(step.graph(), step.draft.step, {});
  EXPECT_THAT(unfused_lines(step),
              ElementsAre("evaluate_schedule: the intake of a step takes 8 schedules"));
}

TEST(UnfusedTest, TellsOfUpdates) {
  const auto tells = [](auto&& change, const std::string& why) {
    PaperStep step;
    change(step.draft);
    EXPECT_THAT(unfused_lines(step), ElementsAre("update: " + why));
  };
  const std::string only = "; only plain SGD of all weights joins the guard";
  tells([](Draft& d) { d.objective->with.rule = AdamOptions{.decoupled = true}; }, "AdamW" + only);
  tells([](Draft& d) { d.objective->with.rule = AdamOptions{}; }, "Adam" + only);
  tells([](Draft& d) { d.objective->with.rule = SgdOptions{.nesterov = true}; },
        "Nesterov's momentum" + only);
  tells([](Draft& d) { d.objective->with.without_decay = {"bias"}; },
        "some weights are frozen or do not decay" + only);
  tells([](Draft& d) { d.objective->with.max_norm = 1.0F; },
        "gradients are clipped or scaled" + only);
  tells([](Draft& d) { d.averages.push_back({}); },
        "average changes state between guard, update and step counter");
  tells([](Draft& d) { d.reports.insert(d.reports.end(), 5, d.reports.back()); },
        "the graph has several record nodes");
}

TEST(UnfusedTest, TellsOfStepsOfSeveralGraphs) {
  const PaperStep step;
  EXPECT_THAT(unfused_lines(step, {.whole_batch = true, .advance = false}),
              ElementsAre("update: another graph raises the step counter"));
  EXPECT_THAT(unfused_lines(step, {.whole_batch = true, .first_quantity = 2}),
              ElementsAre("update: another graph's losses are guarded first"));
}

// The end of a step that was put together by hand.
struct HandMadeEnding {
  bool has_guard = true, has_own_guard = true, advances_its_step = true;
  bool guards_gradients_last = true, waits_for_gradients = true;
  Shape loss = {};
};

std::string told_of(const HandMadeEnding& ending) {
  Graph graph;
  const Value step = graph.external("step", {Dtype::kI64, {}, {}});
  const Value other_step = graph.external("other step", {Dtype::kI64, {}, {}});
  const Value rate = graph.external("rate", {Dtype::kF32, {}, {}});
  const Value loss = graph.external("loss", {Dtype::kF32, ending.loss, {}});
  ops::UpdateValues values = ops::declare_update(graph, SgdOptions{}, 16, false);
  values.learning_rate = rate;
  std::vector<Value> guarded{loss, values.gradients}, after;
  if (!ending.guards_gradients_last) std::swap(guarded[0], guarded[1]);
  if (!ending.waits_for_gradients) after.push_back(rate);
  const Value ring = graph.external("ring", {Dtype::kF32, {4, 1}, {}});
  ops::record(graph, ring, step, std::array<Value, 1>{rate});
  const Value other_guard = graph.external("other guard", graph.type(values.guard));
  if (ending.has_guard) {
    ops::check_finite(graph, ending.has_own_guard ? values.guard : other_guard, step, guarded,
                      after);
  }
  ops::update(graph, values, SgdOptions{}, {});
  ops::advance_step(graph, ending.advances_its_step ? step : other_step);
  const std::vector<Unfused> left = unfused(graph, true);
  return left.size() == 1 && left[0].what == "update" ? left[0].why : "something else";
}

TEST(UnfusedTest, TellsOfEndingsThatWereMadeByHand) {
  EXPECT_EQ(told_of({}), "it was appended after the rewrites");
  EXPECT_EQ(told_of({.has_guard = false}), "no guard checks what is finite in this graph");
  EXPECT_EQ(told_of({.has_own_guard = false}), "the update has another guard");
  EXPECT_EQ(told_of({.advances_its_step = false}),
            "guard, record and step counter follow different steps");
  EXPECT_EQ(told_of({.guards_gradients_last = false}),
            "the guard does not end with the gradients that the update takes");
  EXPECT_EQ(told_of({.waits_for_gradients = false}), "an update waits for what is no gradient");
  EXPECT_EQ(told_of({.loss = {2}}), "what is guarded is no number");
}

}  // namespace
}  // namespace gradflip
