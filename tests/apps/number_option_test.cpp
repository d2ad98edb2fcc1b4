#include "apps/common/number_option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "apps/common/usage_error.h"
#include "tests/apps/option_list.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(WholeNumberTest, IsDecimalWhateverItBeginsWith) {
  EXPECT_EQ(whole_number("010"), 10);
  EXPECT_EQ(whole_number("08"), 8);
  EXPECT_EQ(whole_number("0"), 0);
  EXPECT_EQ(whole_number("-007"), -7);
  EXPECT_EQ(whole_number("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(whole_number("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(whole_number("5", {5, 5}), 5);
}

TEST(WholeNumberTest, RefusesEverythingElse) {
  for (const auto* list : {&kNoNumbers, &kNoWholeNumbers}) {
    for (const std::string& text : *list) EXPECT_THROW(whole_number(text), UsageError) << text;
  }
  EXPECT_THROW(whole_number(""), UsageError);
  EXPECT_THAT([] { whole_number("0x10"); }, ThrowsMessage<UsageError>(HasSubstr("\"0x10\"")));
  EXPECT_THAT(
      [] {
        whole_number("4", {5, 7});
      },
      ThrowsMessage<UsageError>(HasSubstr("\"4\" is not between 5 and 7")));
  EXPECT_THROW(whole_number("8", {5, 7}), UsageError);
}

TEST(RealNumberTest, IsFiniteAndDecimal) {
  EXPECT_EQ(real_number("0.1"), 0.1);
  EXPECT_EQ(real_number(".5"), 0.5);
  EXPECT_EQ(real_number("-1e-3"), -1e-3);
  EXPECT_EQ(real_number("010"), 10.0);
  for (const std::string& text : kNoNumbers) EXPECT_THROW(real_number(text), UsageError) << text;
  for (const char* text : {"", "1e999", "-1e999", "1e-999"}) {
    EXPECT_THROW(real_number(text), UsageError) << text;
  }
}

}  // namespace
}  // namespace gradflip
