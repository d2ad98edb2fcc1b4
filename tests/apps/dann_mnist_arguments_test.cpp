#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "apps/common/report/paper_rows.h"
#include "apps/dann_mnist/modes.h"
#include "apps/dann_mnist/option_notes.h"
#include "models/method_list.h"
#include "models/methods/dann_options.h"
#include "models/network_list.h"
#include "models/presets.h"
#include "tests/apps/parsed_arguments.h"

namespace gradflip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string help_text() {
  CommandLine command_line;
  return command_line.app().help();
}

TEST(ArgumentsTest, WithoutOptionsItRunsThePaperOnBuiltinData) {
  const Arguments arguments = parse({});
  EXPECT_THAT(arguments.modes, ElementsAre(kSourceOnly, kDann, kTargetOnly));
  EXPECT_TRUE(arguments.data.builtin());
  EXPECT_EQ(arguments.recipe.training.preset, "paper");
  EXPECT_EQ(arguments.recipe.training.epochs, 20);
  EXPECT_EQ(arguments.recipe.training.steps, 0);
  EXPECT_EQ(arguments.first_seed, 1U);
  EXPECT_EQ(arguments.seeds, 1);
  EXPECT_EQ(arguments.device, "auto");
  EXPECT_GE(arguments.threads, 1);
  EXPECT_FALSE(arguments.json);
}

TEST(ArgumentsTest, EachModeHasItsName) {
  EXPECT_THAT(parse({"--mode", "dann"}).modes, ElementsAre(kDann));
  EXPECT_THAT(parse({"--mode", "source-only"}).modes, ElementsAre(kSourceOnly));
  EXPECT_THAT(parse({"--mode", "target-only"}).modes, ElementsAre(kTargetOnly));
  EXPECT_THAT(refusal({"--mode", "target"}), HasSubstr("choose all, or one or several"));
  for (const std::string& mode : mode_names()) {
    EXPECT_THAT(parse({"--mode", mode}).modes, ElementsAre(mode));
    EXPECT_THAT(refusal({"--mode", "target"}), HasSubstr(mode));
    EXPECT_THAT(help_text(), HasSubstr(mode + ": "));
  }
}

// A name that means something else to --mode would be a method that cannot be had.
TEST(ArgumentsTest, EveryMethodsNameIsAMode) {
  for (const Method& each : methods()) {
    EXPECT_THAT(modes_of(each.name), ElementsAre(each.name));
    EXPECT_NE(each.name, kTargetOnly);
    EXPECT_EQ(method_of(each.name).name, each.name);
  }
  EXPECT_EQ(modes_of(text_of(mode_names())), mode_names());
}

std::vector<std::string> notes(const std::vector<std::string>& words) {
  const Arguments arguments = parse(words);
  const TrainingOptions& training = arguments.recipe.training;
  const std::vector<float> channels(3, 0.0F);
  const NetworkInput input = picture_input(28, 28, channels, channels);
  return unread_option_notes(arguments.recipe, arguments.modes,
                             network(training.network, input, training.network_options));
}

TEST(ArgumentsTest, ANumberThatAnotherChoiceLeavesOutIsNoted) {
  EXPECT_THAT(
      notes({"--optimizer", "adam", "--momentum", "0.5", "--adam-beta1", "0.5"}),
      ElementsAre("--momentum: it counts only with --optimizer sgd, and this run has adam"));
  EXPECT_THAT(
      notes({"--learning-rate-end", "0.1"}),
      ElementsAre("--learning-rate-end: it counts only with --learning-rate-schedule cosine "
                  "or arc or linear, and this run has progress"));
  EXPECT_THAT(notes({"--learning-rate-end", "0.1", "--learning-rate-schedule", "arc"}),
              ElementsAre());
  EXPECT_THAT(notes({"--lambda-schedule", "constant", "--gamma", "3"}),
              ElementsAre("--gamma: it counts only with --lambda-schedule ramp, and this run has "
                          "constant"));
  EXPECT_THAT(notes({"--hidden-units", "3"}),
              ElementsAre("--hidden-units: it counts only with --network mlp, and this run has "
                          "paper-mnist"));
  EXPECT_THAT(notes({"--hidden-units", "3", "--network", "mlp"}), ElementsAre());
}

TEST(ArgumentsTest, BatchNormalisationThatANetworkLacksIsNoted) {
  EXPECT_THAT(notes({"--batch-norm", "per-domain", "--evaluation-statistics", "estimated"}),
              ElementsAre("--batch-norm: paper-mnist has no batch normalisation",
                          "--evaluation-statistics: paper-mnist has no batch normalisation"));
  EXPECT_THAT(
      notes({"--batch-norm", "per-domain", "--batch-norm-scale", "own", "--network", "digits-m"}),
      ElementsAre());
  EXPECT_THAT(notes({"--batch-norm-scale", "own", "--network", "digits-m"}),
              ElementsAre("--batch-norm-scale: it counts only with --batch-norm per-domain, and "
                          "this run has joint"));
}

TEST(ArgumentsTest, ANumberThatNoModeReadsIsNoted) {
  EXPECT_THAT(notes({"--mode", "source-only", "--lambda", "3", "--epochs", "2"}),
              ElementsAre("--lambda: no mode of this run reads it; dann, dann-alternating would"));
  EXPECT_THAT(notes({"--mode", "source-only", "--lambda", "1"}), ElementsAre());  // as it is anyhow
  EXPECT_THAT(notes({"--mode", "source-only", "--preset", "deepda"}), ElementsAre());
  EXPECT_THAT(notes({"--lambda", "3", "--adda-beta1", "0.9"}),
              ElementsAre("--adda-beta1: no mode of this run reads it; adda would"));
  EXPECT_THAT(notes({"--lambda", "3", "--adda-beta1", "0.9", "--mode", "dann,adda"}),
              ElementsAre());
}

TEST(ArgumentsTest, TheNetworkIsChosenByName) {
  EXPECT_EQ(parse({}).recipe.training.network, "paper-mnist");
  EXPECT_EQ(parse({"--network", "mlp"}).recipe.training.network, "mlp");
  EXPECT_EQ(config_of(parse({"--network", "mlp"}))["network"], "mlp");
  EXPECT_THAT(refusal({"--network", "resnet"}), HasSubstr("paper-mnist"));
}

TEST(ArgumentsTest, SeveralModesAreRowsInTheTablesOrder) {
  EXPECT_THAT(parse({"--mode", "target-only,dann,dann"}).modes, ElementsAre(kDann, kTargetOnly));
  EXPECT_EQ(config_of(parse({"--mode", "target-only,dann"}))["mode"], "dann,target-only");
  EXPECT_EQ(config_of(parse({"--mode", "target-only,source-only,dann"}))["mode"], "all");
  for (const char* text : {"dann,", ",dann", "", "dann,,source-only", "dann, source-only"}) {
    EXPECT_THAT(refusal({"--mode", text}), HasSubstr("--mode")) << text;
  }
}

TEST(ArgumentsTest, AnOptionOverridesThePresetInEitherOrder) {
  for (const auto& words : {std::vector<std::string>{"--preset", "deepda", "--gamma", "3",
                                                     "--domain-reduction", "mean"},
                            std::vector<std::string>{"--gamma", "3", "--domain-reduction", "mean",
                                                     "--preset", "deepda"}}) {
    const Recipe recipe = parse(words).recipe;
    const TrainingOptions& training = recipe.training;
    const auto& dann = recipe.of<DannOptions>();
    EXPECT_EQ(training.preset, "deepda");
    EXPECT_EQ(dann.gamma, 3.0);
    EXPECT_EQ(dann.domain_reduction, DomainReduction::kMean);
    EXPECT_EQ(training.label_smoothing, 0.1);
  }
}

TEST(ArgumentsTest, EveryHyperParameterReachesTheRecipe) {
  const Recipe recipe = parse({"--epochs",
                               "3",
                               "--source-batch",
                               "10",
                               "--target-batch",
                               "20",
                               "--augment",
                               "strong",
                               "--source-augment",
                               "shift=3, flip@0.5",
                               "--target-augment=none",
                               "--learning-rate",
                               "0.5",
                               "--learning-rate-schedule",
                               "step",
                               "--learning-rate-alpha",
                               "1",
                               "--learning-rate-beta",
                               "2",
                               "--decay-gamma",
                               "0.1",
                               "--decay-power",
                               "0.2",
                               "--learning-rate-end",
                               "0.25",
                               "--warmup-steps",
                               "12",
                               "--momentum",
                               "0.3",
                               "--weight-decay",
                               "0.4",
                               "--label-smoothing",
                               "0.6",
                               "--lambda",
                               "0.7",
                               "--lambda-schedule",
                               "constant",
                               "--gamma",
                               "8",
                               "--lambda-applies-to",
                               "both",
                               "--domain-weight",
                               "9",
                               "--domain-reduction",
                               "half",
                               "--domain-logits",
                               "2",
                               "--domain-label-smoothing",
                               "0.05"})
                            .recipe;
  const TrainingOptions& training = recipe.training;
  const auto& dann = recipe.of<DannOptions>();
  EXPECT_EQ(training.epochs, 3);
  EXPECT_EQ(training.source_batch, 10);
  EXPECT_EQ(training.target_batch, 20);
  EXPECT_EQ(training.augment, "strong");
  EXPECT_EQ(training.source_augment, "shift=3, flip@0.5");
  EXPECT_EQ(training.target_augment, "none");
  EXPECT_EQ(training.learning_rate, 0.5);
  EXPECT_EQ(training.learning_rate_schedule, LearningRateSchedule::kStep);
  EXPECT_EQ(training.learning_rate_alpha, 1.0);
  EXPECT_EQ(training.learning_rate_beta, 2.0);
  EXPECT_EQ(training.decay_gamma, 0.1);
  EXPECT_EQ(training.decay_power, 0.2);
  EXPECT_EQ(training.learning_rate_end, 0.25);
  EXPECT_EQ(training.warmup_steps, 12);
  EXPECT_EQ(training.momentum, 0.3);
  EXPECT_EQ(training.weight_decay, 0.4);
  EXPECT_EQ(training.label_smoothing, 0.6);
  EXPECT_EQ(dann.lambda, 0.7);
  EXPECT_EQ(dann.lambda_schedule, LambdaSchedule::kConstant);
  EXPECT_EQ(dann.gamma, 8.0);
  EXPECT_EQ(dann.lambda_applies_to, LambdaAppliesTo::kBoth);
  EXPECT_EQ(dann.domain_weight, 9.0);
  EXPECT_EQ(dann.domain_reduction, DomainReduction::kHalf);
  EXPECT_EQ(dann.domain_logits, 2);
  EXPECT_EQ(dann.domain_label_smoothing, 0.05);
}

TEST(ArgumentsTest, AnAugmentationThatCannotBeReadIsRefused) {
  EXPECT_THAT(refusal({"--augment", "shift=3, rotat=30"}),
              HasSubstr("--augment: \"rotat=30\": there is no operation \"rotat\""));
}

TEST(ArgumentsTest, BatchCountsTheImagesOfBothDomains) {
  const TrainingOptions training = parse({"--batch", "100"}).recipe.training;
  EXPECT_EQ(training.source_batch, 50);
  EXPECT_EQ(training.target_batch, 50);
  EXPECT_THAT(refusal({"--batch", "63"}), HasSubstr("--batch: 63"));
  EXPECT_THAT(refusal({"--batch", "0"}), HasSubstr("--batch: 0"));
}

struct Refused {
  std::vector<std::string> words;
  const char* says;
};

TEST(ArgumentsTest, RefusesWhatDoesNotGoTogetherOrIsOutOfRange) {
  const std::vector<Refused> cases = {
      {{"--epochs", "3", "--steps", "5"}, "--epochs"},
      {{"--batch", "64", "--source-batch", "32"}, "--source-batch"},
      {{"--batch", "64", "--target-batch", "32"}, "--target-batch"},
      {{"--steps", "0"}, "--steps"},
      {{"--steps", "-3"}, "--steps"},
      {{"--steps", "many"}, "--steps"},
      {{"--epochs", "0"}, "--epochs"},
      {{"--seeds", "0"}, "--seeds"},
      {{"--seed", "-1"}, "--seed"},
      {{"--seed", "1.5"}, "--seed"},
      {{"--threads", "0"}, "--threads"},
      {{"--threads", "1000000"}, "--threads"},
      {{"--learning-rate", "nan"}, "--learning-rate"},
      {{"--momentum", "1"}, "--momentum"},
      {{"--preset", "papr"}, "paper, deepda"},
      {{"--lambda-schedule", "cosine"}, "ramp, constant"},
      {{"--precision", "fp16"}, "choose one of f32, tf32, bf16"},
      {{"--data", "cifar"}, "builtin"},
      {{"--data", "builtin", "--source", "a", "--target", "b"}, "--data builtin"},
      {{"--source", "a"}, "--target DIR"},
      {{"--target", "a"}, "--source"},
      {{"--source", "a", "--target", "b", "--photos", "c", "--blend", "invert"}, "one of"},
      {{"--source", "a", "--photos", "c"}, "--blend difference"},
      {{"--source", "a", "--photos", "c", "--blend", "multiply"}, "difference, invert"},
      {{"--source", "a", "--target", "b", "--blend", "invert"}, "--photos"},
      {{"--source", "a", "--photos", "c", "--blend", "invert", "--target-test", "d"},
       "--target DIR"},
  };
  for (const Refused& refused : cases) {
    SCOPED_TRACE(::testing::PrintToString(refused.words));
    const std::string text = refusal(refused.words);
    EXPECT_THAT(text, HasSubstr(refused.says));
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

TEST(ArgumentsTest, WhatIsGivenTakesThePlaceOfAPresetsAlternative) {
  EXPECT_EQ(parse({"--preset", "tf-dann"}).recipe.training.steps, 8600);
  const TrainingOptions given = parse({"--preset", "tf-dann", "--epochs", "2"}).recipe.training;
  EXPECT_EQ(given.steps, 0);
  EXPECT_EQ(given.epochs, 2);
  EXPECT_EQ(parse({"--preset", "tf-dann", "--steps", "7"}).recipe.training.steps, 7);
}

TEST(ArgumentsTest, TakesFoldersWithSpaces) {
  const Arguments arguments =
      parse({"--source", "my digits", "--target", "their digits", "--target-test", "t#st", "--save",
             "out/my model.safetensors"});
  EXPECT_EQ(arguments.data.source, "my digits");
  EXPECT_EQ(arguments.data.target, "their digits");
  EXPECT_EQ(arguments.data.target_test, "t#st");
  EXPECT_EQ(arguments.save, "out/my model.safetensors");
}

TEST(HelpTest, ShowsEveryNumberOfEveryPreset) {
  const std::string help = help_text();
  EXPECT_THAT(help, HasSubstr("[10.0; deepda 1.0]"));
  EXPECT_THAT(help, HasSubstr("[sum_of_means; deepda half, "));
  for (const std::string& name : preset_names()) {
    const auto numbers = config_of(preset(name));
    for (const auto& [key, value] : numbers.items()) {
      EXPECT_THAT(help, HasSubstr("--" + key));
      if (key == "preset" || value.is_null()) continue;
      const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
      EXPECT_THAT(help, ::testing::AnyOf(HasSubstr("[" + text + "]"), HasSubstr("[" + text + "; "),
                                         HasSubstr(name + " " + text)))
          << key;
    }
  }
}

}  // namespace
}  // namespace gradflip
