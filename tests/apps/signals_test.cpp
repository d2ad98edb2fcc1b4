#include "apps/common/run/signals.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(StopRequestTest, NotesTheFirstSignal) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU}) {
    SCOPED_TRACE(signal);
    const StopRequest stop;
    EXPECT_EQ(stop.signal(), 0);
    raise(signal);
    EXPECT_EQ(stop.signal(), signal);
  }
}

TEST(StopRequestTest, EndsAtTheSecond) {
  const auto twice = [] {
    const StopRequest stop(milliseconds(0));
    raise(SIGINT);
    raise(SIGTERM);
    _exit(0);
  };
  EXPECT_EXIT(twice(), ::testing::ExitedWithCode(128 + SIGTERM), "");
}

// timeout(1), for one, signals the program and then its whole process group.
TEST(StopRequestTest, TheSameRequestSentTwiceIsOne) {
  const auto repeated = [] {
    const StopRequest stop(hours(1));
    raise(SIGTERM);
    raise(SIGTERM);
    raise(SIGHUP);
    _exit(stop.signal());
  };
  EXPECT_EXIT(repeated(), ::testing::ExitedWithCode(SIGTERM), "");
}

// Linux sends it again with every further second of CPU time.
TEST(StopRequestTest, ALimitThatIsPassedFurtherIsNoSecondRequest) {
  for (const int first : {SIGXCPU, SIGTERM}) {
    SCOPED_TRACE(first);
    const auto repeated = [&] {
      const StopRequest stop(milliseconds(0));
      raise(first);
      raise(SIGXCPU);
      raise(SIGXCPU);
      _exit(stop.signal());
    };
    EXPECT_EXIT(repeated(), ::testing::ExitedWithCode(first), "");
  }
  const auto interrupted = [] {
    const StopRequest stop(milliseconds(0));
    raise(SIGXCPU);
    raise(SIGINT);
    _exit(0);
  };
  EXPECT_EXIT(interrupted(), ::testing::ExitedWithCode(128 + SIGINT), "") << "somebody asks";
}

TEST(StopRequestTest, WhatWasIgnoredStaysIgnored) {
  for (const int signal : {SIGINT, SIGHUP}) {
    SCOPED_TRACE(signal);
    const auto before = ::signal(signal, SIG_IGN);
    {
      const StopRequest stop;
      raise(signal);
      EXPECT_EQ(stop.signal(), 0);
      raise(SIGTERM);
      EXPECT_EQ(stop.signal(), SIGTERM);
    }
    EXPECT_EQ(::signal(signal, before), SIG_IGN);
  }
}

TEST(StopRequestTest, PutsBackWhatWasThere) {
  const auto before = ::signal(SIGTERM, SIG_DFL);
  { const StopRequest stop; }
  EXPECT_EQ(::signal(SIGTERM, before), SIG_DFL);
}

// What of a limit of CPU time, given as both, is left as the soft one. In a process of its own,
// whose limit may be spoilt.
void exit_with_soft_limit(rlim_t soft, rlim_t hard) {
  const rlimit given{soft, hard};
  if (::setrlimit(RLIMIT_CPU, &given) != 0) _exit(99);
  const StopRequest stop;
  rlimit limit{};
  ::getrlimit(RLIMIT_CPU, &limit);
  _exit(limit.rlim_max == hard ? static_cast<int>(limit.rlim_cur) : 98);
}

// At the hard limit SIGKILL comes, and leaves nothing of the run.
TEST(StopRequestTest, TheSoftLimitOfCpuTimeComesBeforeTheHardOne) {
  for (const auto& [hard, soft] :
       {std::pair{1, 1}, std::pair{2, 1}, std::pair{3, 2}, std::pair{4, 2}, std::pair{60, 58}}) {
    SCOPED_TRACE(hard);
    const auto limit = static_cast<rlim_t>(hard);
    EXPECT_EXIT(exit_with_soft_limit(limit, limit), ::testing::ExitedWithCode(soft), "");
  }
}

TEST(StopRequestTest, ASoftLimitOfItsOwnStays) {
  EXPECT_EXIT(exit_with_soft_limit(59, 60), ::testing::ExitedWithCode(59), "");
}

// Each ends the process with what it saw: what it changes must not reach other tests.
TEST(LetWritesFailTest, AClosedPipeIsAnError) {
  const auto write_to_nobody = [] {
    let_writes_fail();
    int ends[2];
    if (::pipe(ends) != 0) _exit(99);
    ::close(ends[0]);
    _exit(::write(ends[1], "x", 1) < 0 ? errno : 0);
  };
  EXPECT_EXIT(write_to_nobody(), ::testing::ExitedWithCode(EPIPE), "");
}

TEST(LetWritesFailTest, TooLargeAFileIsAnError) {
  const TemporaryFolder folder;
  const auto write_too_much = [&] {
    let_writes_fail();
    const rlimit limit{1, 1};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(99);
    const int file = ::open((folder / "file").c_str(), O_WRONLY | O_CREAT, 0600);
    if (::write(file, "x", 1) != 1) _exit(98);
    _exit(::write(file, "x", 1) < 0 ? errno : 0);
  };
  EXPECT_EXIT(write_too_much(), ::testing::ExitedWithCode(EFBIG), "");
}

TEST(LetWritesFailTest, NoFileGetsTheNumberOfAClosedStream) {
  const auto open_after_closing = [] {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(stream);
    let_writes_fail();
    if (::write(STDOUT_FILENO, "x", 1) >= 0) _exit(99);
    _exit(::open("/dev/null", O_RDONLY) > STDERR_FILENO ? 0 : 1);
  };
  EXPECT_EXIT(open_after_closing(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace gradflip
