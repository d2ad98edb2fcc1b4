#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "kernels/cuda/simt.h"
#include "tests/simt/observer.h"
#include "tests/simt/sanitizer.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using gradflip::launch;

class MemoryTest : public EmulatorTest {};

void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, bytes), cudaSuccess);
  return memory;
}

TEST_F(MemoryTest, BuffersAreAlignedAndFullOfNan) {
  for (const std::size_t bytes : {4U, 100U, 4096U, 1000000U}) {
    DeviceVector<float> x(bytes / 4);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.data()) % 256, 0U);
    for (const float value : x.read()) ASSERT_TRUE(std::isnan(value));
  }
}

TEST_F(MemoryTest, NothingAndTooMuch) {
  void* memory = &memory;
  EXPECT_EQ(cudaMalloc(&memory, 0), cudaSuccess);
  EXPECT_EQ(memory, nullptr);
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&memory, std::size_t{1} << 50), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(MemoryTest, WhatIsFreedCanBeUsedAgain) {
  std::size_t free_before = 0;
  std::size_t free_after = 0;
  std::size_t total = 0;
  ASSERT_EQ(cudaMemGetInfo(&free_before, &total), cudaSuccess);
  // In all more than is set aside, so that addresses come back.
  std::set<void*> addresses;
  constexpr std::size_t kRounds = 40;
  for (std::size_t round = 0; round < kRounds; ++round) {
    void* memory = allocate(std::size_t{8} << 20);
    addresses.insert(memory);
    ASSERT_EQ(cudaFree(memory), cudaSuccess);
    ASSERT_EQ(cudaFree(allocate(1000)), cudaSuccess);
  }
  EXPECT_TRUE(observer() != nullptr || addresses.size() < kRounds);
  ASSERT_EQ(cudaMemGetInfo(&free_after, &total), cudaSuccess);
  EXPECT_EQ(free_before, free_after);
  EXPECT_LE(free_after, total);
}

TEST_F(MemoryTest, FreesOfWhatIsNotABuffer) {
  int on_host = 0;
  EXPECT_EQ(cudaFree(&on_host), cudaErrorInvalidValue);
  void* memory = allocate(16);
  EXPECT_EQ(cudaFree(static_cast<char*>(memory) + 4), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(cudaFree(memory), cudaErrorInvalidValue);
  void* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, 16), cudaSuccess);
  EXPECT_EQ(cudaFree(pinned), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(pinned), cudaErrorInvalidValue);
}

TEST_F(MemoryTest, CopiesOfEveryKind) {
  const std::vector<int> values{1, 2, 3, 4};
  std::vector<int> back(4);
  DeviceVector<int> x(values);
  DeviceVector<int> y(4);
  EXPECT_EQ(cudaMemcpy(y.data(), x.data(), 16, cudaMemcpyDeviceToDevice), cudaSuccess);
  EXPECT_EQ(y.read(), values);
  EXPECT_EQ(cudaMemcpy(back.data(), y.data(), 16, cudaMemcpyDefault), cudaSuccess);
  EXPECT_EQ(back, values);
  EXPECT_EQ(cudaMemset(y.data() + 1, 0, 8), cudaSuccess);
  EXPECT_EQ(y.read(), (std::vector<int>{1, 0, 0, 4}));
}

TEST_F(MemoryTest, CopiesInTheWrongDirection) {
  int on_host[4] = {};
  DeviceVector<int> x(4, 0);
  const auto copy = [](void* to, const void* from, cudaMemcpyKind kind) {
    return cudaMemcpy(to, from, 16, kind);
  };
  for (const cudaMemcpyKind kind :
       {cudaMemcpyHostToHost, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice}) {
    EXPECT_EQ(copy(x.data(), on_host, kind), cudaErrorInvalidMemcpyDirection);
  }
  EXPECT_EQ(copy(on_host, x.data(), cudaMemcpyHostToDevice), cudaErrorInvalidMemcpyDirection);
  EXPECT_EQ(cudaMemcpy(x.data(), on_host, 0, cudaMemcpyDeviceToHost), cudaSuccess);
}

TEST_F(MemoryTest, CopiesBeyondTheEnd) {
  std::vector<int> on_host(8);
  DeviceVector<int> x(4, 0);
  EXPECT_EQ(cudaMemcpy(x.data(), on_host.data(), 20, cudaMemcpyHostToDevice),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(on_host.data(), x.data() + 1, 16, cudaMemcpyDeviceToHost),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(x.data(), 0, 17), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(x.data(), nullptr, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
}

__global__ void write_kernel(std::int64_t index, float* x) { x[index] = 1; }

TEST_F(MemoryTest, AWriteBesideABufferIsAnErrorThatNamesIt) {
  if (kAddressSanitizer || observer() != nullptr) GTEST_SKIP() << "reported by the write itself";
  DeviceVector<float> x(10);
  DeviceVector<float> y(10);
  launch(write_kernel, 1, 1, 0, nullptr, std::int64_t{9}, x.data());
  EXPECT_EQ(error_of([&] { launch(write_kernel, 1, 1, 0, nullptr, std::int64_t{10}, x.data()); }),
            "simt: write after a device buffer of 40 bytes (argument 1 of kernel "
            "simt::write_kernel)");
  EXPECT_EQ(error_of([&] { launch(write_kernel, 1, 1, 0, nullptr, std::int64_t{-1}, y.data()); }),
            "simt: write before a device buffer of 40 bytes (argument 1 of kernel "
            "simt::write_kernel)");
  // Told once.
  launch(write_kernel, 1, 1, 0, nullptr, std::int64_t{0}, x.data());
}

struct Hidden {
  float* x;
};
__global__ void hidden_kernel(std::int64_t index, Hidden hidden) { hidden.x[index] = 1; }

TEST_F(MemoryTest, AWriteThroughAHiddenPointerIsFoundWhenTheBufferIsFreed) {
  if (kAddressSanitizer || observer() != nullptr) GTEST_SKIP() << "reported by the write itself";
  void* memory = allocate(40);
  launch(hidden_kernel, 1, 1, 0, nullptr, std::int64_t{10}, Hidden{static_cast<float*>(memory)});
  EXPECT_EQ(cudaFree(memory), cudaErrorIllegalAddress);
  EXPECT_STREQ(cudaGetErrorString(cudaErrorIllegalAddress),
               "simt: write after a device buffer of 40 bytes");
  // The device stays in error until it is reset, as a GPU would.
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaDeviceReset(), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

using MemoryDeathTest = MemoryTest;

TEST_F(MemoryDeathTest, TheHostCannotTouchProtectedMemory) {
  if (observer() != nullptr) GTEST_SKIP() << "that memory belongs to the observer";
  config().protect = true;
  DeviceVector<float> x(4, 1.0F);
  launch(write_kernel, 1, 1, 0, nullptr, std::int64_t{2}, x.data());
  EXPECT_EQ(x.read()[2], 1.0F);
  EXPECT_DEATH({ *static_cast<volatile float*>(x.data()) = 2; }, "");
}

TEST_F(MemoryTest, ErrorsHaveCudasNames) {
  EXPECT_STREQ(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
  EXPECT_STREQ(cudaGetErrorName(static_cast<cudaError_t>(998)), "unrecognized error code");
}

TEST_F(MemoryTest, TheDeviceDescribesItself) {
  int count = 0;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 1);
  EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
  cudaDeviceProp properties;
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_STREQ(properties.name, "emulated GPU");
  EXPECT_GE(properties.major, 8);
  int shared = 0;
  ASSERT_EQ(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0),
            cudaSuccess);
  EXPECT_EQ(shared, static_cast<int>(properties.sharedMemPerBlockOptin));
  cudaFuncAttributes attributes;
  ASSERT_EQ(cudaFuncSetAttribute(write_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared),
            cudaSuccess);
  ASSERT_EQ(cudaFuncGetAttributes(&attributes, write_kernel), cudaSuccess);
  EXPECT_EQ(attributes.maxDynamicSharedSizeBytes, shared);
  EXPECT_EQ(
      cudaFuncSetAttribute(write_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared + 1),
      cudaErrorInvalidValue);
}

TEST_F(MemoryTest, DevicesAreTheThreadsOwn) {
  config().devices = 2;
  config().multiprocessors = 20;
  int count = 0, device = -1, multiprocessors = 0;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 2);
  ASSERT_EQ(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 1),
            cudaSuccess);
  EXPECT_EQ(multiprocessors, 20);
  EXPECT_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
  ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
  std::thread([&] { EXPECT_EQ(cudaGetDevice(&device), cudaSuccess); }).join();
  EXPECT_EQ(device, 0);
  EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
  EXPECT_EQ(device, 1);
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
}

TEST_F(MemoryTest, KernelsRunOnTheCurrentDeviceWithItsStreamsAndMemory) {
  config().devices = 2;
  DeviceVector<float> x(4, 1.0F);
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  const auto write = [&](cudaStream_t to) {
    return launch(write_kernel, 1, 1, 0, to, std::int64_t{2}, x.data());
  };
  ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
  EXPECT_THROW(write(stream), gradflip::CudaError);
  EXPECT_NE(
      error_of([&] { write(nullptr); }).find("memory of device 0, which device 1 has no access"),
      std::string::npos);
  EXPECT_EQ(x.read()[2], 1.0F);  // copies go anywhere
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  write(stream);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

}  // namespace
}  // namespace simt
