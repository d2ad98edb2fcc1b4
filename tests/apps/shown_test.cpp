#include "apps/common/shown.h"

#include <gtest/gtest.h>

#include <string>

namespace gradflip {
namespace {

TEST(ShownTest, ControlCharactersAreWrittenOut) {
  EXPECT_EQ(shown("0x10"), "\"0x10\"");
  EXPECT_EQ(shown("a\r\x1b[2J\x7f"), "\"a\\x0d\\x1b[2J\\x7f\"");
}

TEST(ShownTest, WhatNobodySeesIsWrittenOut) {
  EXPECT_EQ(shown("\xEF\xBB\xBFseed"), "\"\\ufeffseed\"");
  EXPECT_EQ(shown("a\xE2\x80\x8B\xE2\x80\xAE"), "\"a\\u200b\\u202e\"");
  EXPECT_EQ(shown("\xC2\x9B"), "\"\\u009b\"") << "it starts a command for a terminal";
}

TEST(ShownTest, OtherTextStaysAsItIs) {
  for (const std::string text : {"donn\xC3\xA9"
                                 "es",
                                 "\xE6\x95\xB0\xE5\xAD\x97", "\xF0\x9F\x98\x80",
                                 "\xE9 of another encoding", "cut \xEF\xBB", "\xC2"}) {
    EXPECT_EQ(shown(text), "\"" + text + "\"");
  }
}

TEST(ShownTest, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(shown(std::string(59, 'a') + "\xC3\xA9" + "b"), "\"" + std::string(59, 'a') + "...\"");
}

}  // namespace
}  // namespace gradflip
