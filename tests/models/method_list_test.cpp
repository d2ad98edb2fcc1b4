#include "models/method_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "models/data/network_input.h"
#include "models/network_list.h"
#include "models/recipe.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(MethodListTest, EveryMethodHasANameOfItsOwnAndIsFoundByIt) {
  std::set<std::string> names;
  for (const Method& each : methods()) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name;
    EXPECT_FALSE(each.summary.empty()) << each.name;
    EXPECT_EQ(method(each.name).name, each.name);
    EXPECT_EQ(method(each.name).reads_target, each.reads_target);
  }
  EXPECT_EQ(names.count("dann"), 1U);
}

TEST(MethodListTest, AnUnknownNameIsToldWithThoseThatThereAre) {
  EXPECT_THAT([] { method("dan"); },
              ThrowsMessage<std::invalid_argument>(
                  AllOf(HasSubstr("method: "), HasSubstr("source-only"), HasSubstr("dann"))));
  EXPECT_THAT([] { network("resnet", row_input(2)); },
              ThrowsMessage<std::invalid_argument>(
                  AllOf(HasSubstr("network: "), HasSubstr("paper-mnist"), HasSubstr("mlp"))));
}

TEST(MethodListTest, EveryNetworkIsFoundByItsName) {
  for (const NetworkMaker& maker : networks()) {
    const Network made = network(maker.name, row_input(7));
    EXPECT_EQ(made.name, maker.name);
    EXPECT_EQ(made.input.sample, Shape{7});
  }
}

// Options that methods share are there once: a recipe has one of each.
TEST(MethodListTest, OptionsStandOnce) {
  std::set<std::string> types;
  const Recipe recipe;
  for (const MethodOptions& options : recipe.methods()) {
    EXPECT_TRUE(types.insert(options.options.type().name()).second);
  }
  EXPECT_GE(types.size(), 1U);
}

// No option that a method suspects is one that the command line does not know.
TEST(MethodListTest, WhatAMethodSuspectsAreOptions) {
  Recipe recipe;
  recipe.training.weight_decay = 0.1;
  for (const Method& each : methods()) {
    for (const Stage& stage : each.stages(recipe)) {
      for (const Update& update : stage.updates) {
        const Divergence divergence{9, "gradient", "feature_extractor.conv1.weight", update.name,
                                    9};
        const std::vector<std::string> names = suspects_of(each, divergence, recipe);
        EXPECT_FALSE(names.empty()) << each.name;
        for (const std::string& name : names) {
          ASSERT_TRUE(name.starts_with("--")) << name;
          EXPECT_NO_THROW(recipe.field(name.substr(2))) << name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace gradflip
