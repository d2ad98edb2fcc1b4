// What the runtime makes of a GPU that is there. It runs on the emulated one, whose name and number
// are known.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "kernels/elementwise.h"
#include "runtime/device.h"
#include "runtime/errors.h"
#include "runtime/memory.h"
#include "runtime/recording.h"
#include "tests/simt/config.h"
#include "tests/simt/device_memory.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(CudaDeviceTest, AutoTakesTheGpu) {
  const Device device = select_device("auto");
  EXPECT_TRUE(std::holds_alternative<Cuda>(device.context));
  EXPECT_EQ(device.reason, "the first GPU");
  EXPECT_FALSE(device.name.empty());
  EXPECT_TRUE(computes_in(device.context, Math::kTf32));
}

TEST(CudaDeviceTest, NamesHowManyThereAreWhereOneIsNot) {
  EXPECT_THAT([] { select_device("cuda:7"); },
              ThrowsMessage<DeviceError>(HasSubstr("numbered from 0; choose one of them")));
}

TEST(CudaDeviceTest, HasAStreamOfItsOwn) {
  const Device one = select_device("cuda"), other = select_device("cuda");
  EXPECT_NE(std::get<Cuda>(one.context).stream, nullptr);
  EXPECT_NE(std::get<Cuda>(one.context).stream, std::get<Cuda>(other.context).stream);
}

TEST(CudaDeviceTest, BuffersAreZeroAndCopiesComplete) {
  const Device device = select_device("cuda");
  const Buffer buffer(device.context, 5);
  std::string bytes(5, 'x');
  copy_to_host(device.context, bytes.data(), buffer.data(), 5);
  EXPECT_EQ(bytes, std::string(5, '\0'));
  copy_from_host(device.context, buffer.data() + 1, "abc", 3);
  copy_to_host(device.context, bytes.data(), buffer.data(), 5);
  EXPECT_EQ(bytes, std::string("\0abc\0", 5));
}

TEST(CudaDeviceTest, TheContextKnowsItsGpu) {
  const int before = std::exchange(simt::config().multiprocessors, 20);
  const Device device = select_device("cuda");
  simt::config().multiprocessors = before;
  const GpuTraits& gpu = *std::get<Cuda>(device.context).gpu;
  EXPECT_EQ(gpu.device, 0);
  EXPECT_EQ(gpu.capability, 90);
  EXPECT_EQ(gpu.multiprocessors, 20);
  EXPECT_EQ(gpu.block_shared_bytes, static_cast<std::int64_t>(simt::config().block_shared_bytes));
}

// The second of two GPUs, where each thread's current device is the first one.
class SecondGpuTest : public testing::Test {
 protected:
  SecondGpuTest() : before_(std::exchange(simt::config().devices, 2)) {
    std::thread([this] { device_ = select_device("cuda:1"); }).join();
  }
  ~SecondGpuTest() override { simt::config().devices = before_; }

  static int current_device() {
    int device = -1;
    EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
    return device;
  }

  int before_;
  Device device_;
};

TEST_F(SecondGpuTest, BuffersAreOnIt) {
  EXPECT_EQ(std::get<Cuda>(device_.context).gpu->device, 1);
  const Buffer buffer(device_.context, 4);
  EXPECT_EQ(simt::device_memory().buffer_of(buffer.data(), 4)->device, 1);
  copy_from_host(device_.context, buffer.data(), "abc", 4);
  std::string bytes(4, 'x');
  std::thread([&] { copy_to_host(device_.context, bytes.data(), buffer.data(), 4); }).join();
  EXPECT_EQ(bytes, std::string("abc\0", 4));
  EXPECT_EQ(current_device(), 0);
}

TEST_F(SecondGpuTest, KernelsAndRecordingsRunOnIt) {
  const auto ctx = std::get<Cuda>(device_.context);
  const Buffer x(device_.context, 12), y(device_.context, 12);
  fill(ctx, 3, 2.0F, x.as<float>());
  const auto add_x = [&] {
    binary(ctx, 3, Binary::kAdd, x.as<float>(), y.as<float>(), y.as<float>());
  };
  std::unique_ptr<Recording> recorded;
  std::thread([&] { recorded = record(device_.context, add_x); }).join();
  recorded->replay();
  std::thread([&] { recorded->replay(); }).join();
  add_x();
  float sums[3] = {};
  copy_to_host(device_.context, sums, y.data(), 12);
  EXPECT_THAT(sums, testing::Each(6.0F));
  EXPECT_EQ(current_device(), 0);
}

TEST_F(SecondGpuTest, AThreadsDeviceStaysWhatItIsWhereACallFails) {
  EXPECT_THROW(Buffer(device_.context, std::int64_t{1} << 50), DeviceError);
  EXPECT_THROW(record(device_.context, [] { throw std::runtime_error("no"); }), std::runtime_error);
  EXPECT_EQ(current_device(), 0);
}

TEST(CudaDeviceTest, TooLittleMemoryIsAnErrorOfItsOwn) {
  const Device device = select_device("cuda");
  EXPECT_THAT([&] { Buffer(device.context, std::int64_t{1} << 50); },
              ThrowsMessage<DeviceMemoryError>(HasSubstr("MiB left")));
}

}  // namespace
}  // namespace gradflip
