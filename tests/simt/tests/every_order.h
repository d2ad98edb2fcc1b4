// Fixtures: a test that passes must pass in every order in which a GPU might run threads, and none
// leaves its configuration or an error of the device behind.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "tests/simt/config.h"
#include "tests/simt/error.h"

namespace simt {

class EmulatorTest : public testing::Test {
 protected:
  // Whatever the environment asks for: a test says itself what it needs.
  EmulatorTest() { config() = {}; }
  void TearDown() override {
    config() = before_;
    (void)cudaDeviceReset();
  }

 private:
  const Config before_ = config();  // read before the constructor's body
};

struct Schedule {
  const char* name;
  Order order;
  std::uint64_t seed;

  friend void PrintTo(const Schedule& schedule, std::ostream* out) { *out << schedule.name; }
};

class EveryOrder : public EmulatorTest, public testing::WithParamInterface<Schedule> {
 protected:
  void SetUp() override {
    config().order = GetParam().order;
    config().seed = GetParam().seed;
  }
};

inline std::string schedule_name(const testing::TestParamInfo<Schedule>& schedule) {
  return schedule.param.name;
}

#define SIMT_IN_EVERY_ORDER(Fixture)                                                      \
  INSTANTIATE_TEST_SUITE_P(Orders, Fixture,                                               \
                           testing::Values(Schedule{"ascending", Order::kAscending, 1},   \
                                           Schedule{"descending", Order::kDescending, 1}, \
                                           Schedule{"random1", Order::kRandom, 1},        \
                                           Schedule{"random2", Order::kRandom, 2}),       \
                           schedule_name)

// What the emulator says about the call; empty if nothing.
inline std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace simt
