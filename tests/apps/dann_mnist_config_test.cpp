// Options from a file, beside those of the command line.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/report/paper_rows.h"
#include "apps/common/run/config_file.h"
#include "models/methods/dann_options.h"
#include "models/presets.h"
#include "tests/apps/parsed_arguments.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
  EXPECT_EQ(arguments.recipe.training.preset, "deepda");
  EXPECT_EQ(arguments.recipe.of<DannOptions>().gamma, 5.0);
  EXPECT_EQ(arguments.first_seed, 9U);
}

TEST_F(ConfigFileTest, AnAlternativeOnTheCommandLineReplacesTheFiles) {
  const std::string file = write("epochs = 7\nsource-batch = 16\ndata = builtin\n");
  const Arguments arguments =
      parse({"--config", file, "--steps", "5", "--batch", "8", "--source", "a", "--target", "b"});
  EXPECT_EQ(arguments.recipe.training.steps, 5);
  EXPECT_EQ(arguments.recipe.training.source_batch, 4);
  EXPECT_EQ(arguments.data.source, "a");
}

// A preset's name never stands beside another one's numbers, unless those are given with it.
TEST_F(ConfigFileTest, APresetOnTheCommandLineReplacesTheFilesRecipe) {
  const Arguments saved = parse({"--steps", "7", "--batch", "8", "--seed", "9", "--mode", "dann"});
  const std::string file = write(config_text(config_of(saved)));
  for (const std::string& name : preset_names()) {
    const Arguments read = parse({"--config", file, "--preset", name});
    EXPECT_EQ(config_of(read.recipe), config_of(preset(name)));
    EXPECT_EQ(read.first_seed, 9U);
    EXPECT_THAT(read.modes, ElementsAre(kDann));
  }
  const Recipe more =
      parse({"--config", file, "--preset", "deepda", "--gamma", "3", "--steps", "5"}).recipe;
  EXPECT_EQ(more.training.preset, "deepda");
  EXPECT_EQ(more.of<DannOptions>().gamma, 3.0);
  EXPECT_EQ(more.training.steps, 5);
  EXPECT_EQ(more.training.label_smoothing, 0.1);
  const std::string batch = write("batch = 8\nlearning-rate = 0.5\n");
  EXPECT_EQ(parse({"--config", batch, "--preset", "paper"}).recipe.training.source_batch, 64);
  EXPECT_EQ(parse({"--config", batch}).recipe.training.learning_rate, 0.5);
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
                                          "--mode",          "dann,target-only",
                                          "--network",       "mlp",
                                          "--threads",       "3",
                                          "--device",        "cpu",
                                          "--augment",       "2 of (flip, invert)@0.5, blur=1",
                                          "--domain-logits", "2"};
  const Arguments given = parse(words);
  const Arguments read = parse({"--config", write(config_text(config_of(given)))});
  EXPECT_EQ(config_of(read), config_of(given));
  EXPECT_EQ(read.data.source, given.data.source);
  EXPECT_EQ(read.data.photos, "it's = b");
}

TEST_F(ConfigFileTest, ALineBreakInAValueCannotBeWritten) {
  EXPECT_THROW(config_text({{"source", "a\nb"}}), UsageError);
}

// As a comment alone, such a file would be read for nothing.
TEST_F(ConfigFileTest, EveryEndOfALineIsOne) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const std::string file = write("# a recipe" + end + "gamma = 4 # steep" + end + end +
                                   "source = \"a\"" + end + "target = b");
    const Arguments arguments = parse({"--config", file});
    EXPECT_EQ(arguments.recipe.of<DannOptions>().gamma, 4.0);
    EXPECT_EQ(arguments.data.source, "a");
    EXPECT_EQ(arguments.data.target, "b");
    EXPECT_THAT(refusal({"--config", write("#" + end + end + "nonsense")}), HasSubstr("line 3"));
  }
}

TEST_F(ConfigFileTest, RefusesWhatItCannotUse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"gama = 4\n", "line 1: unknown option \"gama\"; did you mean gamma?"},
      {"gamma = 4\nnonsense\n", "line 2"},
      {"\xEF\xBB\xBF\xEF\xBB\xBFseed = 4\n", "unknown option \"\\ufeffseed\""},
      {"[training]\n", "line 1"},
      {"gamma =\n", "line 1: the value of gamma is empty"},
      {"gamma = # 4\n", "line 1: the value of gamma is empty"},
      {"gamma = 4\ngamma = 5\n", "a second time"},
      {"gamma = steep\n", "gamma"},
      {"json = maybe\n", "--json: \"maybe\" is neither true nor false"},
      {"json = 5\n", "--json"},
      {"\x89PNG\r\n\x1A\n", "is no key = value"},
      {"source = \"a\n", "does not end"},
      {"source = \"a\\n\"\n", "backslash"},
      {"source = \"a\" b\n", "more after the value"},
      {"config = other\n", "unknown option \"config\""},
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
