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
  EXPECT_NE(error_of([] {
              launch(static_kernel<1024>, 1, 1, 227 * 1024, nullptr);
            }).find("more than 227 KiB of static and dynamic shared memory (variable tile)"),
            std::string::npos);
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
