// What the runtime makes of a GPU that is there. It runs on the emulated one, whose name and number
// are known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/device.h"
#include "runtime/errors.h"
#include "runtime/memory.h"

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

TEST(CudaDeviceTest, TooLittleMemoryIsADeviceErrorThatSaysSo) {
  const Device device = select_device("cuda");
  EXPECT_THAT([&] { Buffer(device.context, std::int64_t{1} << 50); },
              ThrowsMessage<DeviceError>(HasSubstr("MiB left")));
}

}  // namespace
}  // namespace gradflip
