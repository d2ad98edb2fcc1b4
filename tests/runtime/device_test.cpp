#include "runtime/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <stdexcept>
#include <thread>

#include "runtime/errors.h"
#include "runtime/nvidia_driver.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr bool kHasCuda = std::variant_size_v < Context >> 1;

TEST(DeviceTest, CpuIsAlwaysThere) {
  const Device device = select_device("cpu");
  EXPECT_TRUE(std::holds_alternative<Cpu>(device.context));
  EXPECT_FALSE(device.name.empty());
  EXPECT_EQ(device.reason, "asked for");
}

TEST(DeviceTest, AutoTakesAGpuOrSaysWhyNot) {
  const Device device = select_device("auto");
  EXPECT_FALSE(device.name.empty());
  EXPECT_FALSE(device.reason.empty());
  if (!kHasCuda) {
    EXPECT_TRUE(std::holds_alternative<Cpu>(device.context));
    EXPECT_THAT(device.reason, HasSubstr("this build has no CUDA backend"));
  }
}

TEST(DeviceTest, CudaWithoutBackendNamesWhatIsMissing) {
  if (kHasCuda) GTEST_SKIP() << "this build has a CUDA backend";
  const NvidiaDriver& driver = nvidia_driver();
  const std::string machine = !driver.loaded              ? "no NVIDIA driver"
                              : !driver.complaint.empty() ? driver.complaint
                              : driver.gpus == 0          ? "sees no GPU"
                                                          : "though the NVIDIA driver sees";
  for (const std::string name : {"cuda", "cuda:0", "cuda:7"}) {
    try {
      select_device(name);
      ADD_FAILURE() << name << " was accepted";
    } catch (const DeviceError& error) {
      EXPECT_THAT(
          error.what(),
          AllOf(HasSubstr("cannot use " + name + ":"), HasSubstr("no CUDA backend"),
                HasSubstr(machine), HasSubstr("./demo.sh --cuda"), HasSubstr("-DGRADFLIP_CUDA=ON"),
                HasSubstr("or choose cpu"), Not(HasSubstr("\n"))));
    }
  }
}

TEST(DeviceTest, RefusesOtherNames) {
  for (const char* name : {"", "gpu", "CPU", "cpu ", "cuda:", "cuda:-1", "cuda:x", "cuda:1x",
                           "cuda: 1", "cuda:+1", "cuda:99999999999", "cuda0", "auto:0"}) {
    EXPECT_THROW(select_device(name), std::invalid_argument) << '"' << name << '"';
  }
}

TEST(DeviceTest, ADriverThatDoesNotLoadHasNoGpus) {
  const NvidiaDriver& driver = nvidia_driver();
  EXPECT_GE(driver.gpus, 0);
  if (!driver.loaded) {
    EXPECT_EQ(driver.gpus, 0);
  }
  EXPECT_EQ(&driver, &nvidia_driver());
}

// The affinity of one thread, so that the rest of the process keeps its own.
TEST(DeviceTest, DefaultThreadsFollowsTheAffinity) {
  const int before = default_threads();
  EXPECT_GE(before, 1);
  std::thread([] {
    const int processor = ::sched_getcpu();
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(default_threads(), 1);
  }).join();
  EXPECT_EQ(default_threads(), before);
}

}  // namespace
}  // namespace gradflip
