// Augmentation in a step: what the recipe says, what it leaves alone, and further views of the same
// rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "models/methods/dann.h"
#include "models/methods/label_loss.h"
#include "models/methods/source_only.h"
#include "runtime/compile.h"
#include "runtime/ops/as_segment.h"
#include "runtime/ops/concat_rows.h"
#include "runtime/ops/slice_rows.h"
#include "runtime/unfused.h"
#include "tests/support/points_test.h"
#include "tests/support/tiny_domains.h"
#include "tests/support/written_step.h"

namespace gradflip {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::ThrowsMessage;

const DatasetShape kGreySource{100, {28, 28, 1}}, kColouredTarget{90, {28, 28, 3}};

Recipe augmented_recipe(const std::string& source, const std::string& target) {
  Recipe recipe;
  recipe.training.source_augment = source;
  recipe.training.target_augment = target;
  return recipe;
}

Graph graph_of(const Method& method, const Recipe& recipe) {
  Parameters parameters;
  return written_step(method, recipe, kGreySource, kColouredTarget, 10, parameters)
      .front()
      .draft.graph;
}

TEST(AugmentedStepGraphTest, WithoutAugmentationTheGraphIsWhatItWas) {
  const std::string plain = graph_of(dann(), {}).text();
  EXPECT_THAT(plain, HasSubstr("gather_normalize"));
  EXPECT_THAT(plain, testing::Not(HasSubstr("augment")));
  Recipe recipe;
  recipe.training.augment = "strong";
  recipe.training.source_augment = recipe.training.target_augment = "none";
  EXPECT_EQ(graph_of(dann(), recipe).text(), plain);
  Parameters parameters;
  const auto updates = written_step(dann(), recipe, kGreySource, kColouredTarget, 10, parameters);
  const CompileOptions on_a_gpu{.whole_batch = true, .record_capacity = 4};
  EXPECT_EQ(compile(updates.front().draft, parameters, on_a_gpu).graph.nodes().size(), 9U);
}

TEST(AugmentedStepGraphTest, WithOneBytesAreAugmentedAndNormalised) {
  Recipe recipe;
  recipe.training.augment = "weak";
  for (const Recipe& each :
       {recipe, augmented_recipe("weak", "none"), augmented_recipe("none", "flip@0.5")}) {
    const Graph graph = graph_of(dann(), each);
    EXPECT_EQ(graph.count("augment"), 1);
    EXPECT_EQ(graph.count("normalize"), 1);
    EXPECT_EQ(graph.count("gather_normalize"), 0);
  }
  Parameters parameters;
  const auto updates = written_step(dann(), recipe, kGreySource, kColouredTarget, 10, parameters);
  const CompileOptions on_a_gpu{.whole_batch = true, .record_capacity = 4};
  const Compiled compiled = compile(updates.front().draft, parameters, on_a_gpu);
  EXPECT_EQ(compiled.graph.count("conv_block"), 2);
  EXPECT_THAT(unfused(compiled.graph, true),
              Contains(Field(&Unfused::why, HasSubstr("augmented before they are normalised"))));
}

// Weak and strong views of the source through the network together, labelled alike.
void learn_two_views(Step& step) {
  Graph& graph = step.graph();
  const Value weak = step.samples(kSourceRows);
  const Value strong = step.view(kSourceRows, parse_augmentation("strong"), 1);
  EXPECT_NE(weak, strong);
  EXPECT_EQ(strong, step.view(kSourceRows, parse_augmentation("strong"), 1));
  EXPECT_NE(strong, step.view(kSourceRows, parse_augmentation("strong"), 2));
  EXPECT_NE(strong, step.view(kSourceRows, parse_augmentation("weak"), 1));
  const Rows second = step.further_rows(kSource);
  const Value both =
      ops::concat_rows(graph, std::array{weak, ops::as_segment(graph, strong, second)});
  const Value logits = step.label_predictor(step.feature_extractor(both));
  EXPECT_EQ(graph.type(logits).rows, kSourceRows | second);
  const LabelLoss of_weak = label_loss(step, ops::slice_rows(graph, logits, kSourceRows));
  const LabelLoss of_strong =
      label_loss(step, ops::as_segment(graph, ops::slice_rows(graph, logits, second), kSourceRows));
  Term strong_term = of_strong.term;
  strong_term.name = "strong_loss";
  step.minimise({of_weak.term, strong_term});
  step.report({.name = "label_loss", .value = of_weak.losses});
  step.report({.name = "strong_loss", .value = of_strong.losses});
}

template <typename Ctx>
class AugmentedStepTest : public DeviceTest<Ctx> {
 protected:
  using DeviceTest<Ctx>::device_;

  static constexpr bool kOnCpu = std::is_same_v<Ctx, Cpu>;

  void prepare() override { domains_.emplace(device_.context, 90, 70); }

  std::unique_ptr<Trainer> trainer(const Method& method, const std::string& augment,
                                   int threads = 1) const {
    Recipe recipe;
    recipe.training.source_batch = kOnCpu ? 40 : 5;
    recipe.training.target_batch = kOnCpu ? 24 : 3;
    recipe.training.steps = 2;
    recipe.training.augment = augment;
    return std::make_unique<Trainer>(method, domains_->network(), recipe, domains_->data(), 3,
                                     device_, threads);
  }

  std::vector<float> weights_after(const Method& method, const std::string& augment,
                                   int threads = 1) const {
    const auto run = trainer(method, augment, threads);
    while (run->run(2).steps > 0) {
    }
    return run->weights();
  }

  std::optional<TinyDomains> domains_;
};
TYPED_TEST_SUITE(AugmentedStepTest, Backends, BackendNames);

TYPED_TEST(AugmentedStepTest, TrainsWithTheSameBitsForAnyNumberOfThreads) {
  const std::vector<float> one = this->weights_after(dann(), "strong");
  if (this->kOnCpu) {
    for (const int threads : {2, 5}) EXPECT_EQ(this->weights_after(dann(), "strong", threads), one);
  }
  EXPECT_NE(this->weights_after(dann(), "none"), one);
  EXPECT_NE(this->weights_after(dann(), "weak"), one);
}

TYPED_TEST(AugmentedStepTest, ARangeOfZeroTrainsAsNoneDoes) {
  EXPECT_EQ(this->weights_after(source_only(), "shift=0, rotate=0, contrast=0, noise=0"),
            this->weights_after(source_only(), "none"));
}

TYPED_TEST(AugmentedStepTest, TwoViewsGoThroughTheNetworkTogether) {
  const Method method = method_of_stages({{.updates = {{"a", learn_two_views}}}});
  const std::vector<float> one = this->weights_after(method, "weak");
  if (this->kOnCpu) {
    EXPECT_EQ(this->weights_after(method, "weak", 3), one);
  }
  const auto run = this->trainer(method, "weak");
  run->run(1);
  const StepReport report = run->epoch_report();
  EXPECT_NE(report.find("label_loss").value(), report.find("strong_loss").value());
}

// The same view of the same rows as a further segment has the same loss.
TYPED_TEST(AugmentedStepTest, FurtherRowsAreTheDomains) {
  const Method method = method_of_stages(
      {{.updates = {{"a", [](Step& step) {
                       Graph& graph = step.graph();
                       const Value x = step.samples(kSourceRows);
                       const Rows second = step.further_rows(kSource);
                       const Value both = ops::concat_rows(
                           graph, std::array{x, ops::as_segment(graph, x, second)});
                       const Value logits = step.label_predictor(step.feature_extractor(both));
                       const LabelLoss first =
                           label_loss(step, ops::slice_rows(graph, logits, kSourceRows));
                       const LabelLoss again = label_loss(
                           step, ops::as_segment(graph, ops::slice_rows(graph, logits, second),
                                                 kSourceRows));
                       step.minimise({first.term});
                       step.report({.name = "first", .value = first.losses});
                       step.report({.name = "again", .value = again.losses});
                     }}}}});
  const auto run = this->trainer(method, "strong");
  run->run(2);
  const StepReport report = run->epoch_report();
  EXPECT_EQ(report.find("first").value(), report.find("again").value());
}

template <typename Ctx>
class AugmentedRowsTest : public PointsTest<Ctx> {};
TYPED_TEST_SUITE(AugmentedRowsTest, Backends, BackendNames);

TYPED_TEST(AugmentedRowsTest, RowsOfNumbersAreRefused) {
  this->recipe_.training.augment = "weak";
  EXPECT_THAT([&] { this->trainer(source_only(), 5); },
              ThrowsMessage<std::invalid_argument>(HasSubstr(
                  "only pictures can be augmented, and the samples are rows of numbers")));
}

}  // namespace
}  // namespace gradflip
