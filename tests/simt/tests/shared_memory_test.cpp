#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/cuda/simt.h"
#include "tests/simt/observer.h"
#include "tests/simt/sanitizer.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using gradflip::dynamic_shared;
using gradflip::launch;

class SharedMemoryTest : public EveryOrder {};
SIMT_IN_EVERY_ORDER(SharedMemoryTest);

__global__ void stale_kernel(float* seen) {
  GRADFLIP_SHARED(float, tile, [32]);
  float* dynamic = dynamic_shared<float>();
  seen[2 * blockIdx.x] = tile[threadIdx.x];
  seen[2 * blockIdx.x + 1] = dynamic[threadIdx.x];
  tile[threadIdx.x] = 1;
  dynamic[threadIdx.x] = 1;
}

TEST_P(SharedMemoryTest, EveryBlockFindsNan) {
  if (observer() != nullptr) GTEST_SKIP() << "the race flavour reports the read itself";
  DeviceVector<float> seen(8);
  launch(stale_kernel, 4, 1, 32 * sizeof(float), nullptr, seen.data());
  for (const float value : seen.read()) EXPECT_TRUE(std::isnan(value));
}

struct Addresses {
  std::uintptr_t a, b, dynamic;
};

template <int kSize>
__global__ void addresses_kernel(Addresses* addresses) {
  GRADFLIP_SHARED(double, a, [kSize][2]);
  GRADFLIP_SHARED(float4, b, );
  addresses[threadIdx.x] = {reinterpret_cast<std::uintptr_t>(&a[0][0]),
                            reinterpret_cast<std::uintptr_t>(&b),
                            reinterpret_cast<std::uintptr_t>(dynamic_shared<float>())};
  static_assert(sizeof(a) == kSize * 2 * sizeof(double));
}

TEST_P(SharedMemoryTest, VariablesAreAlignedAndTheSameForAllThreads) {
  DeviceVector<Addresses> addresses(64);
  launch(addresses_kernel<3>, 1, 64, 1000, nullptr, addresses.data());
  const std::vector<Addresses> got = addresses.read();
  for (const Addresses& a : got) {
    EXPECT_EQ(a.a, got[0].a);
    EXPECT_EQ(a.b, got[0].b);
    EXPECT_EQ(a.dynamic, got[0].dynamic);
  }
  EXPECT_EQ(got[0].a % alignof(double), 0U);
  EXPECT_EQ(got[0].b % alignof(float4), 0U);
  EXPECT_EQ(got[0].dynamic % 256, 128U);  // what is promised, and not more by accident
}

template <int kBytes>
__global__ void static_kernel() {
  GRADFLIP_SHARED(char, tile, [kBytes]);
  tile[threadIdx.x] = 0;
}

TEST_P(SharedMemoryTest, LimitsOfStaticAndDynamic) {
  launch(static_kernel<48 * 1024>, 1, 1, (227 - 48) * 1024, nullptr);
  EXPECT_NE(error_of([] {
              launch(static_kernel<48 * 1024 + 1>, 1, 1, 0, nullptr);
            }).find("more than 48 KiB of static shared memory (variable tile)"),
            std::string::npos);
  EXPECT_THROW(launch(static_kernel<1024>, 1, 1, 227 * 1024, nullptr), gradflip::CudaError);
}

// A launch as it is without kernels/cuda/simt.h, which asks for what the device has.
template <int kStaticBytes>
cudaError_t launch_unasked(std::size_t dynamic_bytes, cudaStream_t stream = nullptr) {
  return simt::launch(static_kernel<kStaticBytes>, 1, 1, dynamic_bytes, stream);
}

template <int kStaticBytes>
cudaFuncAttributes attributes_of() {
  cudaFuncAttributes attributes{};
  EXPECT_EQ(cudaFuncGetAttributes(&attributes, static_kernel<kStaticBytes>), cudaSuccess);
  return attributes;
}

TEST_P(SharedMemoryTest, WithoutAskingABlockHas48KiBWithItsStaticVariables) {
  EXPECT_EQ(launch_unasked<3200>(48 * 1024 - 3200), cudaSuccess);
  // The first launch finds out while it runs, the next one before.
  EXPECT_EQ(launch_unasked<3216>(48 * 1024 - 3200), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(launch_unasked<3216>(48 * 1024 - 3200), cudaErrorInvalidValue);
  EXPECT_EQ(launch_unasked<16>(48 * 1024 + 1), cudaErrorInvalidValue);
  EXPECT_EQ(attributes_of<3216>().sharedSizeBytes, 3216U);
  EXPECT_EQ(attributes_of<3216>().maxDynamicSharedSizeBytes, 48 * 1024 - 3216);
  EXPECT_EQ(attributes_of<3216>().preferredShmemCarveout, -1);
}

TEST_P(SharedMemoryTest, WhatWasAskedForIsRememberedAndCountsStaticVariables) {
  const auto ask = [](int bytes) {
    return cudaFuncSetAttribute(static_kernel<2048>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                bytes);
  };
  EXPECT_EQ(launch_unasked<2048>(0), cudaSuccess);
  EXPECT_EQ(ask(225 * 1024 + 1), cudaErrorInvalidValue);
  EXPECT_EQ(ask(225 * 1024), cudaSuccess);
  EXPECT_EQ(launch_unasked<2048>(225 * 1024), cudaSuccess);
  EXPECT_EQ(ask(60 * 1024), cudaSuccess);  // for a launch of another size
  EXPECT_EQ(launch_unasked<2048>(225 * 1024), cudaErrorInvalidValue);
  EXPECT_EQ(launch_unasked<2048>(60 * 1024), cudaSuccess);
}

TEST_P(SharedMemoryTest, LaunchAsksForAllThatTheDeviceHas) {
  launch(static_kernel<4096>, 1, 1, 0, nullptr);
  EXPECT_EQ(attributes_of<4096>().maxDynamicSharedSizeBytes, 44 * 1024);  // nothing to ask for
  for (const std::size_t kib : {1, 223, 45}) {
    launch(static_kernel<4096>, 1, 1, kib * 1024, nullptr);
    EXPECT_EQ(attributes_of<4096>().maxDynamicSharedSizeBytes, 223 * 1024);
    EXPECT_EQ(attributes_of<4096>().preferredShmemCarveout, 100);
  }
  config().block_shared_bytes = 99 * 1024;
  EXPECT_THROW(launch(static_kernel<4096>, 1, 1, 96 * 1024, nullptr), gradflip::CudaError);
  launch(static_kernel<4096>, 1, 1, 95 * 1024, nullptr);
}

TEST_P(SharedMemoryTest, EveryDeviceIsAskedByItself) {
  config().devices = 2;
  launch(static_kernel<64>, 1, 1, 100 * 1024, nullptr);
  ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
  EXPECT_EQ(launch_unasked<64>(100 * 1024), cudaErrorInvalidValue);
  launch(static_kernel<64>, 1, 1, 100 * 1024, nullptr);
  EXPECT_EQ(launch_unasked<64>(100 * 1024), cudaSuccess);
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
}

__global__ void beyond_kernel(int static_index, int dynamic_index) {
  GRADFLIP_SHARED(int, tile, [8]);
  if (static_index >= 0) tile[static_index] = 0;
  if (dynamic_index >= 0) dynamic_shared<int>()[dynamic_index] = 0;
}

TEST_P(SharedMemoryTest, AWriteBesideAVariableIsAnError) {
  if (kAddressSanitizer) GTEST_SKIP() << "AddressSanitizer reports the write itself";
  if (observer() != nullptr) GTEST_SKIP() << "the race flavour reports the write itself";
  launch(beyond_kernel, 1, 1, 32, nullptr, 7, 7);
  const auto beside = [](int static_index, int dynamic_index) {
    return error_of([=] { launch(beyond_kernel, 1, 1, 32, nullptr, static_index, dynamic_index); });
  };
  EXPECT_EQ(beside(8, -1),
            "simt: write outside shared memory beside tile, kernel simt::beyond_kernel, block "
            "(0,0,0)");
  EXPECT_EQ(beside(-1, 8),
            "simt: write outside shared memory beside dynamic, kernel simt::beyond_kernel, block "
            "(0,0,0)");
}

}  // namespace
}  // namespace simt
