// Every option of every command of gradflip, whatever options there are: values that are none.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "apps/common/cli.h"
#include "apps/gradflip/commands.h"
#include "tests/apps/option_list.h"

namespace gradflip {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;
using Words = std::vector<std::string>;

struct Gradflip {
  Gradflip() { add_data_command(app, &chosen); }

  CLI::App app{"gradflip", "gradflip"};
  Command chosen;
};

void expect_refused(Words words, const Words& more, const std::string& option) {
  words.insert(words.end(), more.begin(), more.end());
  SCOPED_TRACE(::testing::PrintToString(words));
  Gradflip gradflip;
  std::vector<const char*> argv = {"gradflip"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  bool ran = false;
  testing::internal::CaptureStderr();
  const int exit_code = run_app(gradflip.app, static_cast<int>(argv.size()), argv.data(), [&] {
    ran = true;
    return 0;
  });
  const std::string err = testing::internal::GetCapturedStderr();
  EXPECT_EQ(exit_code, 2);
  EXPECT_THAT(err, AllOf(HasSubstr(option), MatchesRegex("gradflip: error: [^\n]*\n")));
  EXPECT_FALSE(ran);
}

// What comes before an option, so that nothing but the option can be at fault.
Words complete(const ListedOption& option) {
  Words words = option.commands;
  Gradflip gradflip;
  const CLI::App* command = &gradflip.app;
  for (const std::string& name : option.commands) command = command->get_subcommand(name);
  for (const CLI::Option* other : command->get_options()) {
    if (!other->get_required() || other->get_name() == option.name) continue;
    words.push_back(other->get_name());
    words.emplace_back(other->get_name() == "--blend" ? "invert" : "x");
  }
  return words;
}

std::vector<ListedOption> options(bool (*kind)(const ListedOption&)) {
  const Gradflip gradflip;
  return options_of(gradflip.app, kind);
}

TEST(EveryOptionOfGradflip, RefusesAnEmptyValue) {
  ASSERT_THAT(options(takes_value), SizeIs(::testing::Ge(5U)));
  for (const ListedOption& option : options(takes_value)) {
    const Words before = complete(option);
    for (const char* blank : {"", " ", "\n"}) {
      expect_refused(before, {option.name, blank}, option.name);
      expect_refused(before, {option.name + "=" + blank}, option.name);
    }
    expect_refused(before, {option.name}, option.name);
    expect_refused(before, {option.name, "--help"}, option.name);
    expect_refused(before, {option.name + "=", "x"}, option.name);
  }
}

TEST(EveryOptionOfGradflip, IsDecimalIfItIsANumber) {
  ASSERT_THAT(options(is_whole_number), SizeIs(::testing::Ge(1U)));
  for (const ListedOption& option : options(is_whole_number)) {
    for (const auto* list : {&kNoNumbers, &kNoWholeNumbers}) {
      for (const std::string& text : *list) {
        expect_refused(complete(option), {option.name + "=" + text}, option.name);
      }
    }
  }
  for (const ListedOption& option : options(is_real_number)) {
    for (const std::string& text : kNoNumbers) {
      expect_refused(complete(option), {option.name + "=" + text}, option.name);
    }
  }
}

}  // namespace
}  // namespace gradflip
