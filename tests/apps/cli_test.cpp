#include "apps/common/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "apps/common/usage_error.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

struct Outcome {
  int exit_code;
  std::string out, err;
  bool ran;  // whether the body was called
};

// A program with one option at the top and a command that has a required one.
Outcome run(const std::vector<const char*>& words, const std::function<int()>& body) {
  CLI::App app("A program.", "prog");
  std::string photos, device;
  app.add_option("--device", device);
  CLI::App* build = app.add_subcommand("build", "Builds.");
  build->add_option("--photos", photos)->required();
  app.add_subcommand("describe", "Describes.");

  std::vector<const char*> argv = {"some/folder/prog"};
  argv.insert(argv.end(), words.begin(), words.end());
  Outcome outcome{};
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  outcome.exit_code = run_app(app, static_cast<int>(argv.size()), argv.data(), [&] {
    outcome.ran = true;
    return body();
  });
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

Outcome run(const std::vector<const char*>& words) {
  return run(words, [] { return 0; });
}

template <typename Error>
Outcome run_throwing(const Error& error) {
  return run({}, [&]() -> int { throw error; });
}

TEST(RunApp, TheBodysExitCodeIsReturned) {
  const Outcome outcome = run({"build", "--photos", "x"}, [] {
    std::cout << "result\n";
    return 42;
  });
  EXPECT_EQ(outcome.exit_code, 42);
  EXPECT_EQ(outcome.out, "result\n");
  EXPECT_EQ(outcome.err, "");
}

TEST(RunApp, HelpAndVersionAreResults) {
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, MatchesRegex("prog [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  EXPECT_FALSE(version.ran);
  for (const auto& words : std::vector<std::vector<const char*>>{{"--help"}, {"build", "--help"}}) {
    const Outcome help = run(words);
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.out, HasSubstr("Usage"));
    EXPECT_EQ(help.err, "");
    EXPECT_FALSE(help.ran);
  }
}

TEST(RunApp, UsageErrorsAreOneLineWithASuggestion) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases = {
      {{"--devise", "cpu"}, "unknown option --devise; did you mean --device?"},
      {{"--devise=cpu"}, "unknown option --devise; did you mean --device?"},
      {{"--dev", "cpu"}, "unknown option --dev; did you mean --device?"},
      {{"build", "--photo", "x"}, "unknown option --photo; did you mean --photos?"},
      {{"build", "--phtoos", "x"}, "unknown option --phtoos; did you mean --photos?"},
      {{"build", "--verison"}, "unknown option --verison; --help lists what there is"},
      {{"bild"}, "unknown command bild; did you mean build?"},
      {{"train"}, "unknown command train; --help lists what there is"},
      {{"build", "--photos", "x", "y"}, "unknown argument y; --help lists what there is"},
      {{"build"}, "--photos is required; --help shows the usage"},
      {{"build", "--photos"}, "--help shows the usage"},
      {{"--device", "a", "--device", "b"}, "--device: it is given twice; leave one of the two out"},
      {{"build", "--photos=x", "--photos", "y"}, "--photos: it is given twice"},
      {{"--device", "a", ""}, "the argument behind \"a\" is empty"},
  };
  for (const auto& [words, message] : cases) {
    const Outcome outcome = run(words);
    SCOPED_TRACE(message);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.err, StartsWith("prog: error: "));
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_THAT(outcome.err, MatchesRegex("[^\n]*\n"));
    EXPECT_EQ(outcome.out, "");
    EXPECT_FALSE(outcome.ran);
  }
}

TEST(RunApp, EachKindOfErrorHasItsExitCode) {
  EXPECT_EQ(run_throwing(std::runtime_error("x")).exit_code, 1);
  EXPECT_EQ(run_throwing(42).exit_code, 1);
  EXPECT_EQ(run_throwing(UsageError("x")).exit_code, 2);
  EXPECT_EQ(run_throwing(DataError("x")).exit_code, 3);
  EXPECT_EQ(run_throwing(ModelFileError("x")).exit_code, 4);
  EXPECT_EQ(run_throwing(DeviceError("x")).exit_code, 5);
  EXPECT_EQ(run_throwing(IoError("x")).exit_code, 6);
  EXPECT_EQ(run_throwing(std::filesystem::filesystem_error("x", {})).exit_code, 6);
  EXPECT_EQ(run_throwing(DivergedError("x")).exit_code, 7);
  EXPECT_EQ(run_throwing(MemoryError("x")).exit_code, 9);
  EXPECT_EQ(run_throwing(std::bad_alloc()).exit_code, 9);
  EXPECT_EQ(run_throwing(std::length_error("x")).exit_code, 9);
  EXPECT_EQ(run_throwing(DeviceMemoryError("x")).exit_code, 9);
}

TEST(RunApp, ABrokenContractInsideIsNoUsageError) {
  const Outcome outcome = run_throwing(std::invalid_argument("gemm: K is -1"));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, StartsWith("prog: error: internal error: gemm: K is -1"));
  EXPECT_THAT(outcome.err, MatchesRegex("[^\n]*\n"));
}

TEST(RunApp, OutOfMemorySaysSoWhereverItWas) {
  EXPECT_THAT(run_throwing(std::bad_alloc()).err, HasSubstr("out of memory"));
  EXPECT_THAT(run_throwing(std::length_error("vector::reserve")).err, HasSubstr("out of memory"));
  const auto refused = std::make_error_code(std::errc::not_enough_memory);
  EXPECT_THAT(run_throwing(std::filesystem::filesystem_error("opendir", "a/folder", refused)).err,
              StartsWith("prog: error: out of memory; "));
  EXPECT_EQ(run_throwing(MemoryError("a.png: out of memory")).err,
            "prog: error: a.png: out of memory\n");
  // More than any machine has, asked for as a program would.
  const Outcome outcome = run({}, [] {
    std::vector<double> all;
    all.resize(all.max_size() + 1);
    return 0;
  });
  EXPECT_EQ(outcome.exit_code, 9);
  EXPECT_THAT(outcome.err, StartsWith("prog: error: out of memory; "));
}

TEST(RunApp, WhatALibraryRefusesOfAUsersWordsIsAUsageError) {
  const auto refuse = []() -> int { throw std::invalid_argument("--gamma: no"); };
  const Outcome outcome = run({}, [&] { return as_usage(refuse); });
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "prog: error: --gamma: no\n");
}

TEST(RunApp, ARefusedFileIsNamedWithARemedy) {
  const std::filesystem::filesystem_error error("status", "a/folder",
                                                std::make_error_code(std::errc::permission_denied));
  EXPECT_THAT(run_throwing(error).err,
              MatchesRegex("prog: error: cannot use a/folder: Permission denied; check [^\n]*\n"));
}

TEST(RunApp, HelpThatCannotBeWrittenIsAnError) {
  std::cout.setstate(std::ios::badbit);
  const Outcome outcome = run({"--help"});
  std::cout.clear();
  EXPECT_EQ(outcome.exit_code, 6);
}

TEST(RunApp, AnErrorIsOneLine) {
  EXPECT_EQ(run_throwing(DataError("file: broken; mend it")).err,
            "prog: error: file: broken; mend it\n");
  EXPECT_EQ(run_throwing(DataError("two\nlines\n")).err, "prog: error: two lines\n");
  EXPECT_EQ(
      run_throwing(std::runtime_error("two\nlines\n")).err,
      "prog: error: internal error: two lines; please report it with the command that you gave\n");
  EXPECT_EQ(run_throwing(DataError("a\x1b[2Jb")).err, "prog: error: a\\x1b[2Jb\n");
}

TEST(RunApp, OutputThatCannotBeWrittenIsAnError) {
  const Outcome outcome = run({}, [] {
    std::cout.setstate(std::ios::badbit);
    return 0;
  });
  std::cout.clear();
  EXPECT_EQ(outcome.exit_code, 6);
  EXPECT_THAT(outcome.err, HasSubstr("standard output"));
}

TEST(RunApp, AProgramWithoutANameTakesThatOfItsFile) {
  CLI::App app;
  const char* argv[] = {"/some/folder/tool", "--nonsense"};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_app(app, 2, argv, [] { return 0; }), 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), StartsWith("tool: error: "));
}

TEST(NearestName, MisspellingsAreFoundAndOtherWordsAreNot) {
  const std::vector<std::string> names = {"--source", "--source-batch", "--seed", "--seeds"};
  EXPECT_EQ(nearest_name("--soruce", names), "--source");
  EXPECT_EQ(nearest_name("--sourse-bath", names), "--source-batch");
  EXPECT_EQ(nearest_name("--sed", names), "--seed");
  EXPECT_EQ(nearest_name("--seeds", names), "--seeds");
  EXPECT_EQ(nearest_name("--seeeds", names), "--seeds");
  EXPECT_EQ(nearest_name("--epochs", names), "");
  EXPECT_EQ(nearest_name("", names), "");
  EXPECT_EQ(nearest_name("--seed", {}), "");
}

}  // namespace
}  // namespace gradflip
