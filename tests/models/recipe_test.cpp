#include "models/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/methods/dann_options.h"

namespace gradflip {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

// A method that models/methods does not have.
struct CriticOptions {
  std::int64_t critic_steps = 5;
  double critic_penalty = 10.0;
};

std::vector<OptionField> fields(CriticOptions& o) {
  return {whole_option({"critic-steps", "Critic", "updates per step"}, o.critic_steps, 1, 100),
          real_option({"critic-penalty", "Critic", "weight of the penalty"}, o.critic_penalty,
                      RealRange::kAtLeastZero, UsedAs::kF32)};
}

void require_together(const CriticOptions& options, const TrainingOptions& training,
                      std::int64_t total_steps) {
  if (options.critic_steps * training.source_batch > 1000 * total_steps) {
    throw std::invalid_argument("--critic-steps, --source-batch: too many");
  }
}

// Its option is called as another's.
struct RivalOptions {
  double gamma = 1.0;
};

std::vector<OptionField> fields(RivalOptions& o) {
  return {real_option({"gamma", "Rival", "another"}, o.gamma, RealRange::kAboveZero, UsedAs::kF64)};
}

std::vector<std::string> names_of_fields(Recipe recipe) {
  std::vector<std::string> names;
  for (const OptionField& field : recipe.fields()) names.push_back(field.name());
  return names;
}

TEST(RecipeTest, HasTheNumbersOfTheTrainingAndOfEveryMethod) {
  const std::vector<std::string> names = names_of_fields({});
  EXPECT_EQ(names.front(), "epochs");
  EXPECT_THAT(names, Contains("lambda"));
  EXPECT_THAT(names, Contains("domain-logits"));
}

TEST(RecipeTest, AFieldIsTheNumberItself) {
  Recipe recipe;
  recipe.field("gamma").set(3.0);
  recipe.field("epochs").set(std::int64_t{7});
  EXPECT_EQ(recipe.of<DannOptions>().gamma, 3.0);
  EXPECT_EQ(recipe.training.epochs, 7);
  recipe.of<DannOptions>().gamma = 4.0;
  EXPECT_EQ(recipe.field("gamma").value(), OptionValue(4.0));
  EXPECT_THAT([&] { recipe.field("gama"); },
              ThrowsMessage<std::invalid_argument>("recipe: there is no option called --gama"));
}

TEST(RecipeTest, IsAValue) {
  Recipe one;
  one.of<DannOptions>().lambda = 0.5;
  Recipe other = one;
  other.of<DannOptions>().lambda = 0.25;
  other.training.epochs = 3;
  EXPECT_EQ(one.of<DannOptions>().lambda, 0.5);
  EXPECT_EQ(one.training.epochs, 20);
  one = other;
  other.field("lambda").set(0.75);
  EXPECT_EQ(one.of<DannOptions>().lambda, 0.25);
}

TEST(RecipeTest, AMethodThatItDoesNotKnowJoinsByItsOptions) {
  Recipe recipe;
  EXPECT_THAT([&] { std::as_const(recipe).of<CriticOptions>(); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("no options of this type")));
  EXPECT_THAT(names_of_fields(recipe), Not(Contains("critic-steps")));

  auto& critic = recipe.of<CriticOptions>();
  critic.critic_penalty = 1.0;
  auto& dann = recipe.of<DannOptions>();
  EXPECT_EQ(&recipe.of<CriticOptions>(), &critic);
  EXPECT_EQ(&recipe.of<DannOptions>(), &dann);
  EXPECT_THAT(names_of_fields(recipe), Contains("critic-steps"));
  recipe.field("critic-steps").set(std::int64_t{3});
  EXPECT_EQ(std::as_const(recipe).of<CriticOptions>().critic_steps, 3);

  Recipe other;
  other.add(method_options<CriticOptions>());
  EXPECT_EQ(std::as_const(other).of<CriticOptions>().critic_steps, 5);
  other.of<CriticOptions>().critic_steps = 7;
  other.add(method_options<CriticOptions>());  // it has them
  EXPECT_EQ(std::as_const(other).of<CriticOptions>().critic_steps, 7);

  critic.critic_steps = 0;
  EXPECT_THAT([&] { require_valid(recipe); },
              ThrowsMessage<std::invalid_argument>("--critic-steps: 0 is not between 1 and 100"));
}

TEST(RecipeTest, AsksAMethodWhetherItsNumbersGoTogether) {
  Recipe recipe;
  recipe.of<CriticOptions>().critic_steps = 16;
  EXPECT_THAT([&] { require_valid(recipe); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("--critic-steps, --source-batch")));
  recipe.training.steps = 100;
  EXPECT_NO_THROW(require_valid(recipe));
  EXPECT_THAT([&] { require_schedules(recipe, 1); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("--critic-steps, --source-batch")));
}

TEST(RecipeTest, RefusesTwoOptionsOfOneName) {
  Recipe recipe;
  recipe.of<RivalOptions>();
  EXPECT_THAT([&] { recipe.fields(); },
              ThrowsMessage<std::invalid_argument>("recipe: two options are called --gamma"));
}

TEST(RecipeTest, OptionsCountOnlyWithChoicesThatThereAre) {
  Recipe recipe;
  int with_conditions = 0;
  for (const OptionField& field : recipe.fields()) {
    for (const OptionField::With& with : field.only_with) {
      const OptionField other = recipe.field(with.option);
      const auto& choice = std::get<ChoiceOption>(other.kind);
      for (const std::string& value : with.values) {
        EXPECT_THAT(choice.names, testing::Contains(value)) << field.name();
      }
      EXPECT_LT(with.values.size(), choice.names.size()) << field.name();
      ++with_conditions;
    }
  }
  EXPECT_GT(with_conditions, 10);
}

}  // namespace
}  // namespace gradflip
