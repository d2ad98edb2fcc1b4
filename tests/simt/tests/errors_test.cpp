// What the emulator says about wrong kernels and launches, word for word where a reader depends on
// it. The planted bugs are in planted/.
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kernels/cuda/simt.h"
#include "tests/simt/config.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using gradflip::launch;

class ErrorsTest : public EveryOrder {};
SIMT_IN_EVERY_ORDER(ErrorsTest);

#define EXPECT_SAYS(error, part) EXPECT_NE((error).find(part), std::string::npos) << (error)

std::string at_line(int line) { return "errors_test.cpp:" + std::to_string(line); }

constexpr int kBranchLine = __LINE__ + 3;
__global__ void branch_kernel(int how) {
  if (how == 0) {
    if (threadIdx.x < 32) __syncthreads();
  } else if (how == 1) {
    if (threadIdx.x < 32)
      __syncthreads();
    else
      __syncthreads();
  } else if (how == 2) {
    if (threadIdx.x >= 16) return;
    __syncthreads();
  }
}

TEST_P(ErrorsTest, DivergentBarriers) {
  const auto error = [](int how) {
    return error_of([=] { launch(branch_kernel, dim3(1, 2), 64, 0, nullptr, how); });
  };
  EXPECT_SAYS(error(0), "simt: divergent barrier or deadlock in kernel simt::branch_kernel, block");
  EXPECT_SAYS(error(0), "32 thread(s) wait at __syncthreads ");
  EXPECT_SAYS(error(0), at_line(kBranchLine) + " (first (0,0,0))");
  EXPECT_SAYS(error(0), "32 thread(s) exited (first (32,0,0))");
  EXPECT_SAYS(error(1), "simt: divergent __syncthreads: thread ");
  EXPECT_SAYS(error(1), "kernel simt::branch_kernel");
  EXPECT_SAYS(error(2), "48 thread(s) exited (first (16,0,0))");
}

__global__ void collective_kernel(int how, int* y) {
  const unsigned lane = threadIdx.x;
  int value = static_cast<int>(lane);
  if (how == 0 && lane < 16) value = __shfl_xor_sync(0x0000ffffU, value, 16);
  if (how == 1) {
    if (lane == 5) return;
    __syncwarp();
  }
  if (how == 2) __syncwarp(0xfffffffeU);
  if (how == 3) {
    if (lane < 16)
      value = __shfl_xor_sync(0xffffffffU, value, 1);
    else
      value = __shfl_xor_sync(0xffffffffU, value, 1);
  }
  y[lane] = value;
}

TEST_P(ErrorsTest, WrongMasks) {
  DeviceVector<int> y(32);
  const auto error = [&](int how, unsigned threads = 32) {
    return error_of([&] { launch(collective_kernel, 1, threads, 0, nullptr, how, y.data()); });
  };
  EXPECT_SAYS(error(0), "simt: a shuffle: lane 0 reads lane 16, which is not in the mask at ");
  EXPECT_SAYS(error(2), "simt: __syncwarp: the lane is not in its own mask at ");
  EXPECT_SAYS(error(3), "simt: divergent barrier or deadlock");
  EXPECT_SAYS(error(3), "16 thread(s) wait at a shuffle ");
  // Who is first decides how a lane that leaves is found out; that it is must not depend on it.
  EXPECT_SAYS(error(1), "__syncwarp");
  EXPECT_SAYS(error(1, 31), "__syncwarp");
}

template <int kValue>
__global__ void named_kernel(const float*, float*) {}

TEST_P(ErrorsTest, Configurations) {
  const auto error = [](dim3 grid, dim3 block, std::size_t shared_bytes) {
    return error_of(
        [=] { launch(named_kernel<3>, grid, block, shared_bytes, nullptr, nullptr, nullptr); });
  };
  EXPECT_EQ(error({0x7fffffffU, 1, 1}, 1025, 0),
            "simt: cannot launch kernel simt::named_kernel<3>: the block has 1025 threads, more "
            "than 1024");
  EXPECT_SAYS(error(1, {1, 1, 65}, 0), "the block is deeper than 64");
  EXPECT_SAYS(error(1, {1, 0, 1}, 0), "the block is empty");
  EXPECT_SAYS(error({1, 0, 1}, 1, 0), "the grid is empty");
  EXPECT_SAYS(error({0x80000000U, 1, 1}, 1, 0), "grid.x is more than 2^31 - 1");
  EXPECT_SAYS(error({1, 65536, 1}, 1, 0), "grid.y is more than 65535");
  EXPECT_SAYS(error({1, 1, 65536}, 1, 0), "grid.z is more than 65535");
  EXPECT_SAYS(error(1, 1, 227 * 1024 + 1), "more than 227 KiB");
  EXPECT_EQ(error(1, 1024, 227 * 1024), "");
  simt::config().block_shared_bytes = 99 * 1024;  // another device
  EXPECT_SAYS(error(1, 1, 99 * 1024 + 1), "more than 99 KiB");
  EXPECT_EQ(error(1, 1, 99 * 1024), "");
  simt::config().block_shared_bytes = 227 * 1024;
}

TEST_P(ErrorsTest, PointersThatAreNotTheDevices) {
  float on_host = 0;
  DeviceVector<float> x(4);
  EXPECT_EQ(error_of([&] { launch(named_kernel<1>, 1, 1, 0, nullptr, x.data(), &on_host); }),
            "simt: argument 1 of kernel simt::named_kernel<1> is not device memory");
  void* freed = nullptr;
  ASSERT_EQ(cudaMalloc(&freed, 64), cudaSuccess);
  ASSERT_EQ(cudaFree(freed), cudaSuccess);
  const std::string error = error_of(
      [&] { launch(named_kernel<1>, 1, 1, 0, nullptr, static_cast<float*>(freed), nullptr); });
  EXPECT_SAYS(error, "argument 0 of kernel simt::named_kernel<1> ");
  // One past the end is what an empty range begins with.
  EXPECT_EQ(error_of([&] { launch(named_kernel<1>, 1, 1, 0, nullptr, x.data() + 4, nullptr); }),
            "");
}

TEST_P(ErrorsTest, AKernelRunsAfterOneThatFailed) {
  EXPECT_NE(error_of([] { launch(branch_kernel, 1, 64, 0, nullptr, 0); }), "");
  DeviceVector<int> y(32);
  launch(collective_kernel, 1, 32, 0, nullptr, 9, y.data());
  EXPECT_EQ(y.read()[31], 31);
}

__global__ void throwing_kernel() { throw std::runtime_error("from a kernel"); }

TEST_P(ErrorsTest, AnExceptionOfTheKernelArrives) {
  EXPECT_THROW(launch(throwing_kernel, 3, 64, 0, nullptr), std::runtime_error);
}

TEST_P(ErrorsTest, ThreadsOfTheHostTakeTurns) {
  const auto count = [] {
    DeviceVector<int> y(32);
    for (int round = 0; round < 20; ++round) {
      launch(collective_kernel, 1, 32, 0, nullptr, 9, y.data());
      EXPECT_NE(error_of([] { launch(branch_kernel, 1, 64, 0, nullptr, 0); }), "");
    }
    EXPECT_EQ(y.read()[31], 31);
  };
  std::thread other(count);
  count();
  other.join();
}

}  // namespace
}  // namespace simt
