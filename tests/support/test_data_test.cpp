#include "tests/support/test_data.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace gradflip {
namespace {

TEST(TestDataTest, IsWhereTheEnvironmentSaysElseWithTheSources) {
  ::setenv("GRADFLIP_TEST_DATA", "/somewhere/else", 1);
  EXPECT_EQ(test_data("file.json"), "/somewhere/else/file.json");
  ::setenv("GRADFLIP_TEST_DATA", "", 1);
  EXPECT_TRUE(std::filesystem::exists(test_data("torch_dann_trace.json")));
  ::unsetenv("GRADFLIP_TEST_DATA");
  EXPECT_TRUE(std::filesystem::exists(test_data("torch_dann_trace.json")));
}

}  // namespace
}  // namespace gradflip
