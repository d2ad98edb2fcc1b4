#include "runtime/workers.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "runtime/errors.h"

namespace gradflip {
namespace {

TEST(WorkersTest, DoesEveryItemOnce) {
  for (const int count : {1, 2, 5}) {
    Workers workers(count);
    for (const std::int64_t items : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(items));
      workers.for_each(items, [&](int worker, std::int64_t item) {
        EXPECT_LT(worker, count);
        ++done[static_cast<std::size_t>(item)];
      });
      for (const auto& times : done) EXPECT_EQ(times.load(), 1);
    }
  }
}

TEST(WorkersTest, HelpsWhoIsLate) {
  Workers workers(2);
  for (int round = 0; round < 20; ++round) {
    // Whoever has item 5 is done only when the other has done all that is left.
    std::atomic<int> done{0};
    workers.for_each(10, [&](int /*worker*/, std::int64_t item) {
      while (item == 5 && done.load() < 9) std::this_thread::yield();
      ++done;
    });
    EXPECT_EQ(done.load(), 10);
  }
}

TEST(WorkersTest, EveryoneBeginsWithItsOwnItems) {
  Workers workers(3);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> arrived{0};
    std::vector<int> by(3, -1);
    workers.for_each(3, [&](int worker, std::int64_t item) {
      ++arrived;
      while (arrived.load() < 3) std::this_thread::yield();
      by[static_cast<std::size_t>(item)] = worker;
    });
    EXPECT_EQ(by, (std::vector<int>{0, 1, 2}));
  }
}

TEST(WorkersTest, ReturnsOnlyWhenAllAreDone) {
  Workers workers(4);
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> done{0};
    workers.for_each(4, [&](int /*worker*/, std::int64_t item) {
      if (item == 3) std::this_thread::sleep_for(std::chrono::microseconds(50));
      ++done;
    });
    EXPECT_EQ(done.load(), 4);
  }
}

TEST(WorkersTest, RethrowsTheFirstExceptionAndGoesOn) {
  Workers workers(3);
  for (int round = 0; round < 20; ++round) {
    EXPECT_THROW(workers.for_each(100,
                                  [](int /*worker*/, std::int64_t item) {
                                    if (item == 5) throw std::runtime_error("five");
                                  }),
                 std::runtime_error);
  }
  std::atomic<int> done{0};
  workers.for_each(100, [&](int /*worker*/, std::int64_t /*item*/) { ++done; });
  EXPECT_EQ(done.load(), 100);
}

TEST(WorkersTest, RefusesAnImpossibleCount) {
  EXPECT_THROW(Workers(0), std::invalid_argument);
  EXPECT_THROW(Workers(-3), std::invalid_argument);
}

rlim_t address_space() {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

// Starts threads where memory for no more than a few of their stacks is left.
[[noreturn]] void start_more_threads_than_fit() {
  const rlim_t bytes = address_space() + (rlim_t{256} << 20U);
  const rlimit limit{bytes, bytes};
  if (setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(1);
  try {
    const Workers workers(1024);
  } catch (const IoError& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(6);
  }
  std::_Exit(0);
}

TEST(WorkersDeathTest, ThreadsThatCannotBeStartedAreAnErrorThatNamesTheOption) {
  if (address_space() > rlim_t{1} << 40U) GTEST_SKIP() << "sanitizers cannot do with so little";
  EXPECT_EXIT(start_more_threads_than_fit(), testing::ExitedWithCode(6),
              "cannot start thread [0-9]+ of 1024 .*; use fewer --threads");
}

}  // namespace
}  // namespace gradflip
