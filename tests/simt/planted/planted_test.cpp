// The emulator against kernels whose bugs are known: every flavour, every order.
//
//   planted_test           runs the tests
//   planted_test --json    prints what came out, for scripts/make_planted_table.py
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string_view>

#include "tests/simt/observer.h"
#include "tests/simt/planted/child.h"

namespace planted {
namespace {

// GRADFLIP_PLANTED_SANITIZED comes from CMake: whether this build has AddressSanitizer.
std::string_view flavour() {
  if (simt::observer() != nullptr) return "race";
  return GRADFLIP_PLANTED_SANITIZED ? "asan" : "plain";
}

unsigned allowed(const Case& planted_case) {
  if (flavour() == "race") return planted_case.race;
  return flavour() == "asan" ? planted_case.asan : planted_case.plain;
}

bool says_one_of(std::string_view output, std::string_view alternatives) {
  for (;;) {
    const std::size_t end = alternatives.find('|');
    if (output.find(alternatives.substr(0, end)) != std::string_view::npos) return true;
    if (end == std::string_view::npos) return false;
    alternatives.remove_prefix(end + 1);
  }
}

class PlantedTest : public testing::TestWithParam<const Case*> {};

TEST_P(PlantedTest, ComesOutAsItShouldInEveryOrder) {
  for (const Schedule& schedule : kSchedules) {
    const Result result = run_in_child(*GetParam(), schedule);
    EXPECT_TRUE(allowed(*GetParam()) & result.outcome)
        << GetParam()->name << ", " << schedule.name << ": " << name_of(result.outcome) << "\n"
        << result.output;
    if (flavour() == "race" && result.outcome == kError) {
      EXPECT_TRUE(says_one_of(result.output, GetParam()->says)) << result.output;
    }
  }
}

std::vector<const Case*> all_cases() {
  std::vector<const Case*> cases;
  for (const Theme& theme : themes()) {
    for (const Case& planted_case : theme.cases) cases.push_back(&planted_case);
  }
  return cases;
}

// Nothing that is wrong may pass: the race flavour reports it, or the result shows it.
TEST(PlantedCasesTest, NoBugIsExpectedToPassTheRaceFlavour) {
  for (const Case* planted_case : all_cases()) {
    EXPECT_TRUE(planted_case->sound() || !(planted_case->race & kRight)) << planted_case->name;
  }
}

std::string test_name(const testing::TestParamInfo<const Case*>& info) {
  std::string name = info.param->name;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return std::to_string(info.index) + "_" + name;
}

INSTANTIATE_TEST_SUITE_P(Cases, PlantedTest, testing::ValuesIn(all_cases()), test_name);

void print_json() {
  std::printf("{\"flavour\": \"%s\", \"orders\": [", std::string(flavour()).c_str());
  const char* separator = "";
  for (const Schedule& schedule : kSchedules) {
    std::printf("%s\"%s\"", separator, schedule.name);
    separator = ", ";
  }
  std::printf("], \"cases\": [");
  const char* line = "\n";
  for (const Theme& theme : themes()) {
    for (const Case& planted_case : theme.cases) {
      std::printf("%s{\"theme\": \"%s\", \"name\": \"%s\", \"sound\": %s, \"outcomes\": [", line,
                  theme.name, planted_case.name, planted_case.sound() ? "true" : "false");
      separator = "";
      for (const Schedule& schedule : kSchedules) {
        std::printf("%s\"%s\"", separator, name_of(run_in_child(planted_case, schedule).outcome));
        separator = ", ";
      }
      std::printf("]}");
      line = ",\n";
    }
  }
  std::printf("]}\n");
}

}  // namespace
}  // namespace planted

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--json") {
    planted::print_json();
    return 0;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
