#include "apps/common/run/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace gradflip {
namespace {

TEST(StopRequestTest, NotesTheFirstSignalAndEndsAtTheSecond) {
  {
    const StopRequest stop;
    EXPECT_EQ(stop.signal(), 0);
    raise(SIGTERM);
    EXPECT_EQ(stop.signal(), SIGTERM);
  }
  const auto twice = [] {
    const StopRequest stop;
    raise(SIGINT);
    raise(SIGTERM);
    _exit(0);
  };
  EXPECT_EXIT(twice(), ::testing::ExitedWithCode(128 + SIGTERM), "");
}

}  // namespace
}  // namespace gradflip
