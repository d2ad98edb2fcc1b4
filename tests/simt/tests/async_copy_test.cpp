#include <cmath>
#include <vector>

#include "kernels/cuda/mma.h"
#include "tests/simt/observer.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using namespace gradflip;

class AsyncCopyTest : public EveryOrder {};
SIMT_IN_EVERY_ORDER(AsyncCopyTest);

std::vector<float> ramp(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i + 1);
  return values;
}

template <int kBytes>
__global__ void copy_kernel(int source_bytes, const float* x, float* y) {
  GRADFLIP_SHARED(float4, tile, [32]);
  constexpr unsigned kFloats = kBytes / 4;
  auto* mine = reinterpret_cast<float*>(tile) + kFloats * threadIdx.x;
  cp_async<kBytes>(mine, x + kFloats * threadIdx.x, source_bytes);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  const unsigned other = blockDim.x - 1 - threadIdx.x;
  for (unsigned i = 0; i < kFloats; ++i) {
    y[kFloats * other + i] = reinterpret_cast<const float*>(tile)[kFloats * other + i];
  }
}

template <int kBytes>
void expect_copied() {
  const std::vector<float> values = ramp(32 * kBytes / 4);
  for (int source_bytes = 0; source_bytes <= kBytes; source_bytes += 4) {
    DeviceVector<float> x(values);
    DeviceVector<float> y(values.size());
    launch(copy_kernel<kBytes>, 1, 32, 0, nullptr, source_bytes, x.data(), y.data());
    std::vector<float> expected = values;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (static_cast<int>(i % (kBytes / 4)) * 4 >= source_bytes) expected[i] = 0;
    }
    EXPECT_EQ(y.read(), expected);
  }
}

TEST_P(AsyncCopyTest, EverySizeWithZeroFill) {
  expect_copied<4>();
  expect_copied<8>();
  expect_copied<16>();
}

// Three groups; what has arrived after each wait.
__global__ void groups_kernel(const float* x, float* seen) {
  GRADFLIP_SHARED(float, tile, [4]);
  for (int group = 0; group < 3; ++group) {
    cp_async<4>(&tile[group], &x[group]);
    cp_async_commit();
  }
  cp_async<4>(&tile[3], &x[3]);  // in no group
  cp_async_wait<3>();
  for (int i = 0; i < 4; ++i) seen[i] = tile[i];
  cp_async_wait<1>();
  for (int i = 0; i < 4; ++i) seen[4 + i] = tile[i];
  cp_async_wait<0>();
  for (int i = 0; i < 4; ++i) seen[8 + i] = tile[i];
}

TEST_P(AsyncCopyTest, AWaitLeavesTheNewestGroupsPending) {
  if (observer() != nullptr) GTEST_SKIP() << "the race flavour reports the early reads";
  DeviceVector<float> x(ramp(4));
  DeviceVector<float> seen(12);
  launch(groups_kernel, 1, 1, 0, nullptr, x.data(), seen.data());
  const std::vector<float> got = seen.read();
  const int arrived[] = {0, 2, 3};
  for (int wait = 0; wait < 3; ++wait) {
    for (int i = 0; i < 4; ++i) {
      const float value = got[4 * wait + i];
      if (i < arrived[wait]) {
        EXPECT_EQ(value, static_cast<float>(i + 1));
      } else {
        EXPECT_TRUE(std::isnan(value)) << "wait " << wait << ", copy " << i;
      }
    }
  }
}

// A ring of three tiles, two copies ahead of the sum.
__global__ void pipeline_kernel(int tiles, const float* x, float* sums) {
  constexpr int kStages = 3;
  GRADFLIP_SHARED(float, ring, [kStages][64]);
  const unsigned t = threadIdx.x;
  const auto fetch = [&](int tile) {
    if (tile < tiles) cp_async<4>(&ring[tile % kStages][t], &x[tile * 64 + t]);
    cp_async_commit();
  };
  fetch(0);
  fetch(1);
  float sum = 0;
  for (int tile = 0; tile < tiles; ++tile) {
    cp_async_wait<1>();
    __syncthreads();
    fetch(tile + 2);
    sum += ring[tile % kStages][63 - t];
  }
  sums[t] = sum;
}

TEST_P(AsyncCopyTest, AMultiStagePipeline) {
  constexpr int kTiles = 9;
  const std::vector<float> values = ramp(kTiles * 64);
  DeviceVector<float> x(values);
  DeviceVector<float> sums(64);
  launch(pipeline_kernel, 1, 64, 0, nullptr, kTiles, x.data(), sums.data());
  std::vector<float> expected(64);
  for (int i = 0; i < kTiles * 64; ++i) expected[63 - i % 64] += values[i];
  EXPECT_EQ(sums.read(), expected);
}

__global__ void wrong_kernel(int how, const float* x, float* y) {
  GRADFLIP_SHARED(float4, tile, [2]);
  if (how == 0) cp_async<16>(reinterpret_cast<float*>(tile) + 1, x);
  if (how == 1) cp_async<16>(tile, x + 1);
  if (how == 2) cp_async<16>(tile, x, 20);
  if (how == 3) cp_async<16>(y, x);
}

TEST_P(AsyncCopyTest, MistakesAreErrors) {
  DeviceVector<float> x(ramp(8));
  DeviceVector<float> y(8);
  const auto error = [&](int how) {
    return error_of([&] { launch(wrong_kernel, 1, 1, 0, nullptr, how, x.data(), y.data()); });
  };
  const std::string here = "async_copy_test.cpp:";
  for (const int how : {0, 1}) {
    EXPECT_NE(error(how).find("cp.async: an address is not aligned to the size of the copy at "),
              std::string::npos);
  }
  EXPECT_NE(error(2).find("cp.async: reads more than it copies at "), std::string::npos);
  EXPECT_NE(error(3).find("cp.async: the destination is not in shared memory at "),
            std::string::npos);
  EXPECT_NE(error(3).find(here), std::string::npos);
}

}  // namespace
}  // namespace simt
