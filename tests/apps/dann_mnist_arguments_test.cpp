#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "apps/common/run/config_file.h"
#include "apps/dann_mnist/arguments.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Arguments parse(std::vector<std::string> words) {
  CommandLine command_line;
  std::reverse(words.begin(), words.end());  // CLI11 takes a vector from its back
  command_line.app().parse(words);
  return command_line.arguments();
}

// The message of a refused command line; empty if it was accepted.
std::string refusal(const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const CLI::ParseError& error) {
    return error.what();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

std::string help_text() {
  CommandLine command_line;
  return command_line.app().help();
}

TEST(ArgumentsTest, WithoutOptionsItRunsThePaperOnBuiltinData) {
  const Arguments arguments = parse({});
  EXPECT_THAT(arguments.modes, ElementsAre(Mode::kSourceOnly, Mode::kDann, Mode::kTargetOnly));
  EXPECT_TRUE(arguments.data.builtin());
  EXPECT_EQ(arguments.training.preset, "paper");
  EXPECT_EQ(arguments.training.epochs, 20);
  EXPECT_EQ(arguments.training.steps, 0);
  EXPECT_EQ(arguments.first_seed, 1U);
  EXPECT_EQ(arguments.seeds, 1);
  EXPECT_EQ(arguments.device, "auto");
  EXPECT_GE(arguments.threads, 1);
  EXPECT_FALSE(arguments.json);
}

TEST(ArgumentsTest, EachModeHasItsName) {
  EXPECT_THAT(parse({"--mode", "dann"}).modes, ElementsAre(Mode::kDann));
  EXPECT_THAT(parse({"--mode", "source-only"}).modes, ElementsAre(Mode::kSourceOnly));
  EXPECT_THAT(parse({"--mode", "target-only"}).modes, ElementsAre(Mode::kTargetOnly));
  EXPECT_THAT(refusal({"--mode", "target"}), HasSubstr("all, source-only, dann, target-only"));
}

TEST(ArgumentsTest, AnOptionOverridesThePresetInEitherOrder) {
  for (const auto& words : {std::vector<std::string>{"--preset", "deepda", "--gamma", "3",
                                                     "--domain-reduction", "mean"},
                            std::vector<std::string>{"--gamma", "3", "--domain-reduction", "mean",
                                                     "--preset", "deepda"}}) {
    const TrainingOptions training = parse(words).training;
    EXPECT_EQ(training.preset, "deepda");
    EXPECT_EQ(training.gamma, 3.0);
    EXPECT_EQ(training.domain_reduction, DomainReduction::kMean);
    EXPECT_EQ(training.label_smoothing, 0.1);
  }
}

TEST(ArgumentsTest, EveryHyperParameterReachesTheTrainingOptions) {
  const TrainingOptions training = parse({"--epochs",
                                          "3",
                                          "--source-batch",
                                          "10",
                                          "--target-batch",
                                          "20",
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
                                          "2"})
                                       .training;
  EXPECT_EQ(training.epochs, 3);
  EXPECT_EQ(training.source_batch, 10);
  EXPECT_EQ(training.target_batch, 20);
  EXPECT_EQ(training.learning_rate, 0.5);
  EXPECT_EQ(training.learning_rate_schedule, LearningRateSchedule::kStep);
  EXPECT_EQ(training.learning_rate_alpha, 1.0);
  EXPECT_EQ(training.learning_rate_beta, 2.0);
  EXPECT_EQ(training.decay_gamma, 0.1);
  EXPECT_EQ(training.decay_power, 0.2);
  EXPECT_EQ(training.momentum, 0.3);
  EXPECT_EQ(training.weight_decay, 0.4);
  EXPECT_EQ(training.label_smoothing, 0.6);
  EXPECT_EQ(training.lambda, 0.7);
  EXPECT_EQ(training.lambda_schedule, LambdaSchedule::kConstant);
  EXPECT_EQ(training.gamma, 8.0);
  EXPECT_EQ(training.lambda_applies_to, LambdaAppliesTo::kBoth);
  EXPECT_EQ(training.domain_weight, 9.0);
  EXPECT_EQ(training.domain_reduction, DomainReduction::kHalf);
  EXPECT_EQ(training.domain_logits, 2);
}

TEST(ArgumentsTest, BatchCountsTheImagesOfBothDomains) {
  const TrainingOptions training = parse({"--batch", "100"}).training;
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
  EXPECT_THAT(help, HasSubstr("[paper 10.0, deepda 1.0]"));
  EXPECT_THAT(help, HasSubstr("sum_of_means, deepda half]"));
  for (const std::string& name : preset_names()) {
    const auto numbers = config_of(preset(name));
    for (const auto& [key, value] : numbers.items()) {
      EXPECT_THAT(help, HasSubstr("--" + key));
      if (key == "preset" || value.is_null()) continue;
      const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
      EXPECT_THAT(help, ::testing::AnyOf(HasSubstr("[" + text + "]"), HasSubstr(name + " " + text)))
          << key;
    }
  }
}

class ConfigFileTest : public ::testing::Test {
 protected:
  std::string write(const std::string& text) const {
    const auto path = folder_ / "config.toml";
    std::ofstream(path) << text;
    return path.string();
  }

  TemporaryFolder folder_;
};

TEST_F(ConfigFileTest, TheCommandLineIsStronger) {
  const std::string file = write("# a recipe\npreset = deepda\n\ngamma = 4  # steeper\nseed = 9\n");
  const Arguments arguments = parse({"--gamma", "5", "--config", file});
  EXPECT_EQ(arguments.training.preset, "deepda");
  EXPECT_EQ(arguments.training.gamma, 5.0);
  EXPECT_EQ(arguments.first_seed, 9U);
}

TEST_F(ConfigFileTest, AnAlternativeOnTheCommandLineReplacesTheFiles) {
  const std::string file = write("epochs = 7\nsource-batch = 16\ndata = builtin\n");
  const Arguments arguments =
      parse({"--config", file, "--steps", "5", "--batch", "8", "--source", "a", "--target", "b"});
  EXPECT_EQ(arguments.training.steps, 5);
  EXPECT_EQ(arguments.training.source_batch, 4);
  EXPECT_EQ(arguments.data.source, "a");
}

TEST_F(ConfigFileTest, WhatIsWrittenReadsBackTheSame) {
  const std::vector<std::string> words = {"--preset",        "deepda",
                                          "--steps",         "5",
                                          "--learning-rate", "0.0123456789",
                                          "--source",        "a \"quoted\", #1 \\ folder",
                                          "--photos",        "it's = b",
                                          "--blend",         "invert",
                                          "--seed",          "7",
                                          "--seeds",         "3",
                                          "--mode",          "dann",
                                          "--threads",       "3",
                                          "--device",        "cpu",
                                          "--domain-logits", "2"};
  const Arguments given = parse(words);
  const Arguments read = parse({"--config", write(config_text(config_of(given)))});
  EXPECT_EQ(config_of(read), config_of(given));
  EXPECT_EQ(read.data.source, given.data.source);
  EXPECT_EQ(read.data.photos, "it's = b");
}

TEST_F(ConfigFileTest, RefusesWhatItCannotUse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"gama = 4\n", "line 1: unknown option gama; did you mean gamma?"},
      {"gamma = 4\nnonsense\n", "line 2"},
      {"[training]\n", "line 1"},
      {"gamma =\n", "no value"},
      {"gamma = # 4\n", "no value"},
      {"gamma = 4\ngamma = 5\n", "a second time"},
      {"gamma = steep\n", "gamma"},
      {"source = \"a\n", "does not end"},
      {"source = \"a\\n\"\n", "backslash"},
      {"source = \"a\" b\n", "more after the value"},
      {"config = other\n", "unknown option config"},
      {"epochs = 2\nsteps = 2\n", "--epochs"},
  };
  for (const auto& [text, says] : cases) {
    SCOPED_TRACE(text);
    const std::string answer = refusal({"--config", write(text)});
    EXPECT_THAT(answer, HasSubstr(says));
    EXPECT_EQ(answer.find('\n'), std::string::npos);
  }
  EXPECT_THAT(refusal({"--config", (folder_ / "missing.toml").string()}),
              HasSubstr("missing.toml"));
}

}  // namespace
}  // namespace gradflip
