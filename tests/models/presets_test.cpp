#include "models/presets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "models/methods/dann_options.h"

namespace gradflip {
namespace {

using ::testing::ThrowsMessage;

TEST(PresetTest, PaperHoldsTheNumbersOfThePaper) {
  const Recipe paper = preset("paper");
  EXPECT_EQ(paper.training.preset, "paper");
  EXPECT_EQ(paper.training.source_batch, 64);
  EXPECT_EQ(paper.training.target_batch, 64);
  EXPECT_EQ(paper.training.learning_rate, 0.01);
  EXPECT_EQ(paper.training.learning_rate_schedule, LearningRateSchedule::kProgress);
  EXPECT_EQ(paper.training.learning_rate_alpha, 10.0);
  EXPECT_EQ(paper.training.learning_rate_beta, 0.75);
  EXPECT_EQ(paper.training.momentum, 0.9);
  EXPECT_EQ(paper.training.weight_decay, 0.0);
  EXPECT_EQ(paper.training.label_smoothing, 0.0);
  const auto& dann = paper.of<DannOptions>();
  EXPECT_EQ(dann.gamma, 10.0);
  EXPECT_EQ(dann.lambda, 1.0);
  EXPECT_EQ(dann.lambda_applies_to, LambdaAppliesTo::kFeatures);
  EXPECT_EQ(dann.domain_reduction, DomainReduction::kSumOfMeans);
  EXPECT_EQ(dann.domain_logits, 1);
}

TEST(PresetTest, DeepdaDiffersWhereItsRecipeDoes) {
  const Recipe deepda = preset("deepda");
  EXPECT_EQ(deepda.training.preset, "deepda");
  EXPECT_EQ(deepda.training.learning_rate, 0.01);
  EXPECT_EQ(deepda.training.learning_rate_schedule, LearningRateSchedule::kStep);
  EXPECT_EQ(deepda.training.decay_gamma, 1e-3);
  EXPECT_EQ(deepda.training.decay_power, 0.75);
  EXPECT_EQ(deepda.training.weight_decay, 1e-3);
  EXPECT_EQ(deepda.training.label_smoothing, 0.1);
  EXPECT_EQ(deepda.training.momentum, 0.9);
  EXPECT_EQ(deepda.training.source_batch, 64);
  const auto& dann = deepda.of<DannOptions>();
  EXPECT_EQ(dann.gamma, 1.0);
  EXPECT_EQ(dann.domain_weight, 1.0);
  EXPECT_EQ(dann.domain_reduction, DomainReduction::kHalf);
}

TEST(PresetTest, EveryNamedPresetExistsAndIsValid) {
  for (const std::string& name : preset_names()) {
    EXPECT_EQ(preset(name).training.preset, name);
    EXPECT_NO_THROW(require_valid(preset(name))) << name;
  }
}

TEST(PresetTest, NumbersThatItDoesNotNameStay) {
  Recipe recipe;
  recipe.training.epochs = 3;
  recipe.of<DannOptions>().gamma = 7.0;
  apply_preset(recipe, "deepda");
  EXPECT_EQ(recipe.training.epochs, 3);
  EXPECT_EQ(recipe.of<DannOptions>().gamma, 1.0);
}

TEST(PresetTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  EXPECT_THAT([] { preset("papier"); },
              ThrowsMessage<std::invalid_argument>(
                  "--preset: there is no \"papier\"; choose one of "
                  "paper, deepda, tf-dann, jvanvugt, jvanvugt-adda, fungtion, digits"));
}

}  // namespace
}  // namespace gradflip
