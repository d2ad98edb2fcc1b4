#include "models/divergence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/methods/dann.h"
#include "models/methods/dann_options.h"
#include "models/methods/source_only.h"

namespace gradflip {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::string text_of(const Divergence& divergence, const Method& method, const Recipe& recipe = {}) {
  return message_of(divergence, suspects_of(method, divergence, recipe));
}

TEST(DivergenceTest, IsOneLineWithStepQuantityAndRemedy) {
  EXPECT_EQ(text_of({12, "gradient", "label_predictor.fc1.weight", {}}, source_only()),
            "training diverged at step 12: the gradient of label_predictor.fc1.weight is not "
            "finite; try a smaller --learning-rate or --momentum");
}

TEST(DivergenceTest, NamesOnlyOptionsThatTheRunHas) {
  EXPECT_THAT(text_of({3, "label loss", {}, {}}, source_only()),
              EndsWith("try a smaller --learning-rate or --momentum"));
  EXPECT_THAT(text_of({3, "label loss", {}, {}}, dann()),
              EndsWith("try a smaller --learning-rate, --momentum, --domain-weight or --lambda"));
  Recipe recipe;
  recipe.training.momentum = 0.0;
  recipe.of<DannOptions>().lambda = 0.0;  // a smaller one there is not
  EXPECT_THAT(text_of({3, "domain loss", {}, {}}, dann(), recipe),
              EndsWith("try a smaller --learning-rate or --domain-weight"));
  recipe.training.weight_decay = 1e3;
  EXPECT_THAT(text_of({3, "label loss", {}, {}}, source_only(), recipe),
              EndsWith("try a smaller --learning-rate or --weight-decay"));
}

// The first update is the gradient's alone.
TEST(DivergenceTest, MomentumIsAtWorkFromTheSecondUpdateOn) {
  for (const std::int64_t step : {0, 1}) {
    EXPECT_THAT(text_of({step, "label loss", {}, {}}, dann()), Not(HasSubstr("--momentum")))
        << step;
  }
  EXPECT_THAT(text_of({2, "label loss", {}, {}}, dann()),
              HasSubstr("--learning-rate, --momentum, "));
}

TEST(DivergenceTest, OnTheFirstStepTheLearningRateHadNoPart) {
  Recipe recipe;
  recipe.training.weight_decay = 1.0;
  EXPECT_THAT(text_of({0, "gradient", "domain_classifier.fc1.weight", {}}, dann(), recipe),
              EndsWith("try a smaller --domain-weight"));
  EXPECT_THAT(text_of({0, "gradient", "feature_extractor.conv1.bias", {}}, dann(), recipe),
              EndsWith("try a smaller --domain-weight or --lambda"));
  recipe.of<DannOptions>().lambda_applies_to = LambdaAppliesTo::kBoth;
  EXPECT_THAT(text_of({0, "gradient", "domain_classifier.fc1.weight", {}}, dann(), recipe),
              EndsWith("try a smaller --domain-weight or --lambda"));
}

// An update of the same step has changed the weights already.
TEST(DivergenceTest, AnEarlierUpdateOfTheStepIsAtWork) {
  Divergence divergence{0, "domain loss", {}, "features"};
  divergence.after_an_update = true;
  EXPECT_EQ(
      text_of(divergence, dann()),
      "training diverged at step 0: the domain loss in the update features is not finite; try "
      "a smaller --learning-rate, --domain-weight or --lambda");
}

TEST(DivergenceTest, WhereNoOptionCanBeTheCauseNoneIsNamed) {
  for (const Divergence& divergence : {Divergence{0, "label loss", {}, {}},
                                       Divergence{0, "gradient", "label_predictor.fc1.bias", {}}}) {
    EXPECT_THAT(text_of(divergence, dann()), HasSubstr("check the weights"));
    EXPECT_THAT(text_of(divergence, dann()), Not(HasSubstr("--")));
  }
}

}  // namespace
}  // namespace gradflip
