// As unfused_test.cpp, of losses, heads and the gradients that heads send back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/compile.h"
#include "runtime/unfused.h"
#include "tests/support/paper_step.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<std::string> heads_lines(const PaperStep& step, bool whole_batch = true) {
  const Compiled compiled =
      compile(step.draft, step.parameters, {.whole_batch = whole_batch, .record_capacity = 4});
  std::vector<std::string> lines;
  for (const Unfused& left : unfused(compiled.graph, whole_batch)) {
    lines.push_back(left.what + ": " + left.why);
  }
  return lines;
}

TEST(UnfusedLossesTest, TellOfTheirReaders) {
  const auto tells = [](const PaperStep& step, const std::string& why) {
    EXPECT_THAT(heads_lines(step, /*whole_batch=*/false),
                ElementsAre(HasSubstr("softmax_cross_entropy label_predictor.fc3: " + why)));
  };
  tells(PaperStep({.weighs_each_row = true}), "no term is a weighed sum of its rows' losses");
  PaperStep shown;
  shown.report("label loss", shown.label_sum);
  tells(shown, "the term's sum is read by others, too");
  PaperStep squared;
  squared.report("squares", ops::square(squared.graph(), squared.label_losses));
  tells(squared, "its rows' losses are read by more than the term and plain sums");
  tells(PaperStep({.reads_label_sum_early = true}),
        "a plain sum of its rows' losses is read too early");
  PaperStep twice;
  twice.draft.objective->terms.push_back({"sum", ops::sum_rows(twice.graph(), twice.label_losses)});
  tells(twice, "its rows' losses are read by more than the term and plain sums for show");
  PaperStep weighed;
  weighed.draft.objective->terms[0].times = ops::sum_rows(weighed.graph(), weighed.label_losses);
  tells(weighed,
        "a value between its nodes is read outside of the graph, or the term's weight is "
        "computed too late, or from the same losses");
  PaperStep read;
  read.draft.reads.push_back(read.label_losses);
  tells(read, "a value between its nodes is read outside of the graph");
}

// A sum of losses that no term is made of is there for show, and nothing to fuse.
TEST(UnfusedLossesTest, TellOfLossesThatAreOnlyShown) {
  PaperStep shown;
  shown.report("label loss", ops::sum_rows(shown.graph(), shown.label_losses));
  shown.draft.objective->terms.erase(shown.draft.objective->terms.begin());
  shown.draft.objective->over = {"feature_extractor", "domain_classifier"};
  EXPECT_THAT(heads_lines(shown, /*whole_batch=*/false),
              ElementsAre(HasSubstr("no term is a weighed sum of its rows' losses")));
}

TEST(UnfusedHeadsTest, TellOfTheirLogits) {
  const std::string label = "weighed_loss label_predictor.fc3: ";
  PaperStep shown;
  shown.report("confidence", ops::sum_features(shown.graph(), shown.label_logits));
  EXPECT_THAT(heads_lines(shown),
              Contains(label + "the logits are read by more than the loss and its counts"));
  PaperStep read;
  read.draft.reads.push_back(read.label_logits);
  EXPECT_THAT(heads_lines(read),
              Contains(StartsWith(label + "a value between its nodes is read outside")));
  EXPECT_THAT(heads_lines(PaperStep({.has_logit_bias = false})),
              Contains(label + "the logits come from no linear layer with a bias of its own"));
  EXPECT_THAT(heads_lines(PaperStep({.label_widths = {100, 100, 65}})),
              Contains(label + "65 logits; a head's layer has 1 to 64"));
  EXPECT_THAT(heads_lines(PaperStep({.reversals = 2})),
              Contains(AllOf(StartsWith("weighed_loss domain_classifier.fc2: "),
                             HasSubstr("or its gradient is reversed twice"))));
  EXPECT_THAT(heads_lines(PaperStep({.reads_label_count_early = true})),
              Contains(label + "a loss or count of a head is read before the last head is "
                               "computed"));
}

TEST(UnfusedHeadsTest, TellOfACountThatWeighsItsLoss) {
  PaperStep step;
  step.draft.objective->terms[0].times = step.label_correct;
  EXPECT_THAT(heads_lines(step),
              Contains("weighed_loss label_predictor.fc3: a loss or count of a head is read before "
                       "the last head is computed"));
}

TEST(UnfusedHeadsTest, TellOfLayersThatDoNotFit) {
  EXPECT_THAT(heads_lines(PaperStep({.domain_widths = {1024, 1}})),
              Contains("linear domain_classifier.fc1: 1024 wide; a head's hidden layers are at "
                       "most 256"));
  EXPECT_THAT(heads_lines(PaperStep({.label_widths = {50, 40, 30, 20, 10}})),
              Contains("linear label_predictor.fc1: a head behind it has 4 layers already, and may "
                       "have no more"));
  EXPECT_THAT(heads_lines(PaperStep({.domain_math = Math::kTf32, .has_f32_domain_logits = true})),
              Contains("linear domain_classifier.fc1: its products have another precision than "
                       "those behind it"));
  PaperStep read;
  read.draft.reads.push_back(read.domain_hidden);
  EXPECT_THAT(heads_lines(read), Contains("linear domain_classifier.fc1: a value between its "
                                          "nodes is read outside of the graph"));
}

TEST(UnfusedHeadsTest, TellOfHeadsThatAreTooMany) {
  EXPECT_THAT(heads_lines(PaperStep({.domain_classifiers = 4})),
              Contains("heads domain_classifier4.fc1: 5 heads read one value; one launch takes 4"));
  EXPECT_THAT(heads_lines(PaperStep({.domain_math = Math::kTf32})),
              Contains(HasSubstr("heads on one value have products of different precisions")));
  EXPECT_THAT(heads_lines(PaperStep({.domain_classifiers = 4})),
              Contains("update: 5 losses are guarded, of at most 4"));
}

TEST(UnfusedMergesTest, TellOfTheirTerms) {
  const auto told = [](const PaperStepOptions& options) {
    return heads_lines(PaperStep(options), /*whole_batch=*/false);
  };
  EXPECT_THAT(told({.domain_classifiers = 8}),
              ElementsAre("add of input gradients: more than 8 terms, which is what one launch "
                          "takes"));
  EXPECT_THAT(told({.domain_math = Math::kTf32}),
              ElementsAre("add of input gradients: its terms have products of two precisions"));
  EXPECT_THAT(told({.has_relu_behind_reversal = true}),
              ElementsAre("grl_backward: a term comes from relu_backward, "
                          "not from linear layers",
                          "add of input gradients: a term comes from relu_backward, not from "
                          "linear layers"));
  EXPECT_THAT(told({.reversals = 2}), Contains(HasSubstr("a term is reversed twice")));
}

}  // namespace
}  // namespace gradflip
