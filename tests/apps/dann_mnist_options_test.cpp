// Every option of dann_mnist, whatever options there are: values that are none.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/cli.h"
#include "apps/common/report/paper_rows.h"
#include "apps/dann_mnist/arguments.h"
#include "models/methods/dann_options.h"
#include "tests/apps/option_list.h"
#include "tests/apps/small_digits.h"

namespace gradflip {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;
struct Outcome {
  int exit_code = -1;
  std::string err;
  std::optional<Arguments> arguments;  // of a run that would have begun
};

Outcome run(const Words& words) {
  CommandLine command_line;
  std::vector<const char*> argv = {"dann_mnist"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  Outcome outcome;
  testing::internal::CaptureStderr();
  outcome.exit_code = run_app(command_line.app(), static_cast<int>(argv.size()), argv.data(), [&] {
    outcome.arguments = command_line.arguments();
    return 0;
  });
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

void expect_refused(const Words& words, const std::string& option) {
  SCOPED_TRACE(::testing::PrintToString(words));
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr(option), MatchesRegex("dann_mnist: error: [^\n]*\n")));
  EXPECT_FALSE(outcome.arguments.has_value());
}

std::vector<ListedOption> options(bool (*kind)(const ListedOption&)) {
  CommandLine command_line;
  return options_of(command_line.app(), kind);
}

TEST(EveryOptionTest, IsListed) {
  // So that none of the tests below can pass for want of options.
  EXPECT_THAT(options(takes_value), SizeIs(::testing::Ge(30U)));
  EXPECT_THAT(options(is_whole_number), SizeIs(::testing::Ge(9U)));
  EXPECT_THAT(options(is_real_number), SizeIs(::testing::Ge(10U)));
}

TEST(EveryOptionTest, RefusesAnEmptyValue) {
  for (const ListedOption& option : options(takes_value)) {
    for (const char* blank : {"", " ", "\t\r\n\v\f"}) {
      expect_refused({option.name, blank}, option.name);
      expect_refused({option.name + "=" + blank}, option.name);
      expect_refused({"--mode", "dann", option.name, blank, "--json"}, option.name);
    }
    expect_refused({option.name}, option.name);
  }
}

TEST(EveryOptionTest, TakesNoOtherOptionForItsValue) {
  for (const ListedOption& option : options(takes_value)) {
    expect_refused({option.name, "--json"}, option.name);
    expect_refused({option.name + "=", "--json"}, option.name);
    expect_refused({option.name + "=", "10"}, option.name);
    for (const char* next : {"--no-such-option", "--", "-h", "--help", "--version"}) {
      expect_refused({option.name, next}, option.name);
    }
  }
}

TEST(EveryOptionTest, ThatIsAFlagIsTrueOrFalse) {
  const auto flags = options([](const ListedOption& listed) { return !listed.takes_value; });
  EXPECT_THAT(flags, SizeIs(::testing::Ge(3U)));
  for (const ListedOption& flag : flags) {
    for (const char* text : {"", " ", "5", "0x1", "maybe", "True", "-1", "+"}) {
      expect_refused({flag.name + "=" + text}, flag.name);
    }
  }
  EXPECT_TRUE(run({"--json=true"}).arguments->json);
  EXPECT_FALSE(run({"--json=false"}).arguments->json);
}

TEST(EveryOptionTest, LetsWhatOnlyLooksOddPass) {
  for (const char* name : {"--json", "a=b", "a=", "{}", "[a,b]", "-x", "%%"}) {
    const Outcome outcome = run({std::string("--save=") + name});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.arguments->save, name);
  }
  EXPECT_EQ(run({"--save", "-x"}).arguments->save, "-x");
  EXPECT_THAT(run({"--lambda", "-1"}).err, HasSubstr("--lambda: -1"));
  EXPECT_THAT(run({"--save", "--json"}).err, HasSubstr("write --save=--json"));
}

TEST(EveryOptionTest, ThatIsMisspeltIsNamedFirst) {
  for (const Words& words : {Words{"--lamda="}, {"--lamda", ""}, {"--lamda", "1", "--save="}}) {
    expect_refused(words, "did you mean --lambda?");
  }
}

TEST(EveryOptionTest, RefusesAnEmptyValueInAFile) {
  const TemporaryFolder folder;
  const std::string file = (folder / "config.toml").string();
  for (const ListedOption& option :
       options([](const ListedOption& listed) { return listed.in_files; })) {
    const std::string key = option.name.substr(2);
    for (const char* value : {"", "\"\"", "''", "\"  \"", "' '", "# none", "\"\" # none", "\r"}) {
      std::ofstream(file) << "# first\n" << key << " = " << value << '\n';
      SCOPED_TRACE(key + " = " + value);
      const Outcome outcome = run({"--config", file});
      EXPECT_EQ(outcome.exit_code, 2);
      EXPECT_THAT(outcome.err, AllOf(HasSubstr("--config: line 2: "), HasSubstr(key)));
      EXPECT_FALSE(outcome.arguments.has_value());
    }
  }
}

TEST(EveryWholeNumberTest, IsDecimal) {
  for (const ListedOption& option : options(is_whole_number)) {
    for (const auto* list : {&kNoNumbers, &kNoWholeNumbers}) {
      for (const std::string& text : *list) expect_refused({option.name + "=" + text}, option.name);
    }
    // Leading zeros mean nothing: what is done with 010 is what is done with 10.
    for (const auto& [padded, plain] : {std::pair{"010", "10"}, {"08", "8"}, {"002", "2"}}) {
      SCOPED_TRACE(option.name + "=" + padded);
      const Outcome with_zeros = run({option.name, padded});
      const Outcome without = run({option.name, plain});
      ASSERT_EQ(with_zeros.exit_code, without.exit_code);
      if (without.exit_code != 0) {
        EXPECT_THAT(with_zeros.err, HasSubstr(option.name));
        continue;
      }
      EXPECT_EQ(config_of(*with_zeros.arguments), config_of(*without.arguments));
    }
  }
}

TEST(EveryWholeNumberTest, IsDecimalInAFile) {
  const TemporaryFolder folder;
  const std::string file = (folder / "config.toml").string();
  for (const ListedOption& option : options(is_whole_number)) {
    const std::string key = option.name.substr(2);
    for (const char* text : {"0x10", "1e3", "+5", "5.0", "\" 5\"", "nan"}) {
      std::ofstream(file) << key << " = " << text << '\n';
      expect_refused({"--config", file}, option.name);
    }
  }
  std::ofstream(file) << "steps = 010\nseed = \"0010\"\n";
  const Outcome outcome = run({"--config", file});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.arguments->recipe.training.steps, 10);
  EXPECT_EQ(outcome.arguments->first_seed, 10U);
}

TEST(EveryRealNumberTest, IsFiniteAndDecimal) {
  for (const ListedOption& option : options(is_real_number)) {
    for (const std::string& text : kNoNumbers) {
      expect_refused({option.name + "=" + text}, option.name);
    }
    for (const char* text : {"1e999", "-1e999", "1e-999", "-1", "-0.5"}) {
      expect_refused({option.name, text}, option.name);
    }
  }
}

TEST(EveryRealNumberTest, IsNeitherZeroNorInfiniteWhereItIsUsed) {
  for (const char* option : {"--learning-rate", "--lambda", "--domain-weight", "--weight-decay"}) {
    expect_refused({option, "1e39"}, option);
    expect_refused({option, "1e-60"}, option);
  }
  for (const char* option : {"--momentum", "--label-smoothing"}) {
    expect_refused({option, "0.99999999999"}, option);
    expect_refused({option, "1e-60"}, option);
  }
}

TEST(EveryRealNumberTest, TakesWhatPeopleWrite) {
  for (const auto& [text, value] : {std::pair{"0.5", 0.5},
                                    {".5", 0.5},
                                    {"5e-1", 0.5},
                                    {"1", 1.0},
                                    {"1.", 1.0},
                                    {"00.5", 0.5},
                                    {"2E0", 2.0}}) {
    const Outcome outcome = run({"--lambda", text});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.arguments->recipe.of<DannOptions>().lambda, value) << text;
  }
}

TEST(EveryOptionTest, AnEmptyValueTrainsNothing) {
  // The built program, for one option of each kind.
  for (const char* option : {"--lambda", "--steps", "--source", "--save", "--config", "--mode"}) {
    const ProgramResult result = run_program(GRADFLIP_DANN_MNIST, {option, "", "--json"});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, AllOf(HasSubstr(option), MatchesRegex("[^\n]*\n")));
  }
}

ProgramResult in_memory(int kilobytes, const Words& more) {
  Words words = {"-c", "ulimit -v " + std::to_string(kilobytes) + " && exec \"$0\" \"$@\"",
                 GRADFLIP_DANN_MNIST};
  words.insert(words.end(), more.begin(), more.end());
  return run_program("/bin/sh", words);
}

class MemoryTest : public SmallDigitsTest {
 protected:
  void SetUp() override {
    if (in_memory(40000, {"--version"}).exit_code != 0) {
      GTEST_SKIP() << "an address sanitizer, say, needs more than that for itself";
    }
  }
};

TEST_F(MemoryTest, WhatDoesNotFitIsAnErrorOfItsOwn) {
  const ProgramResult result =
      in_memory(40000, {"--mode", "dann", "--steps", "1", "--device", "cpu", "--threads", "1"});
  EXPECT_EQ(result.exit_code, 9);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("dann_mnist: error: "));
  EXPECT_THAT(result.err, HasSubstr("out of memory; use less data"));
}

TEST(EmptyWordTest, IsRefusedWhereverItStands) {
  expect_refused({""}, "the first argument is empty");
  expect_refused({"--json", ""}, "the argument behind \"--json\" is empty");
  expect_refused({"--lambda", "1", ""}, "the argument behind \"1\" is empty");
}

TEST(EveryOptionTest, ThatTakesAValueIsGivenOnce) {
  for (const ListedOption& option : options(takes_value)) {
    expect_refused({option.name, "1", option.name, "2"}, option.name + ": it is given twice");
    expect_refused({option.name + "=1", option.name, "2"}, option.name + ": it is given twice");
  }
}

TEST(ConfigEncodingTest, AByteOrderMarkAndCarriageReturnsAreNotPartOfIt) {
  const TemporaryFolder folder;
  const std::string file = (folder / "config.toml").string();
  std::ofstream(file)
      << "\xEF\xBB\xBFmode = dann\r\nlambda = 0.25 # mild\r\npreset = \"deepda\"\r\n";
  const Outcome outcome = run({"--config", file});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.arguments->modes, ::testing::ElementsAre(kDann));
  EXPECT_EQ(outcome.arguments->recipe.of<DannOptions>().lambda, 0.25);
  EXPECT_EQ(outcome.arguments->recipe.training.preset, "deepda");

  std::ofstream(file) << "\xFF\xFEm";
  expect_refused({"--config", file}, "UTF-8");
  std::ofstream(file) << std::string((1U << 20U) + 1, '#');
  expect_refused({"--config", file}, "1 MiB");
}

TEST(UsageTest, WordsThatReachALibraryAreUsageErrorsToo) {
  // Each is refused below the apps with std::invalid_argument, which is no usage error of itself.
  expect_refused({"--preset", "papr"}, "--preset");
  expect_refused({"--precision", "fp16"}, "--precision");
  expect_refused({"--device", "gpu"}, "--device");
  expect_refused({"--device", "cuda:x"}, "--device");
  expect_refused({"--momentum", "1"}, "--momentum");
  expect_refused({"--lambda-schedule", "cosine"}, "--lambda-schedule");
  expect_refused({"--domain-reduction", "sum"}, "--domain-reduction");
  expect_refused({"--seed", "9007199254740991", "--seeds", "2"}, "--seeds");
}

}  // namespace
}  // namespace gradflip
