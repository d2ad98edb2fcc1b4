#include <cstdint>
#include <vector>

#include "kernels/cuda/simt.h"
#include "tests/simt/tests/device_vector.h"
#include "tests/simt/tests/every_order.h"

namespace simt {
namespace {

using gradflip::launch;

class AtomicsTest : public EveryOrder {};
SIMT_IN_EVERY_ORDER(AtomicsTest);

template <typename T>
__global__ void add_kernel(T* sum) {
  atomicAdd(sum, static_cast<T>(threadIdx.x + 1));
}

template <typename T>
void expect_sum() {
  DeviceVector<T> sum(1, T{5});
  launch(add_kernel<T>, 4, 64, 0, nullptr, sum.data());
  EXPECT_EQ(sum.read()[0], T{5 + 4 * 64 * 65 / 2});
}

TEST_P(AtomicsTest, AddsOfEveryType) {
  expect_sum<int>();
  expect_sum<unsigned>();
  expect_sum<unsigned long long>();
  expect_sum<float>();
  expect_sum<double>();
}

struct Results {
  int subtracted, least, greatest, exchanged;
  unsigned both, either, one, up, down;
};

__global__ void all_kinds_kernel(Results* r) {
  const auto t = static_cast<int>(threadIdx.x);
  atomicSub(&r->subtracted, t);
  atomicMin(&r->least, -t);
  atomicMax(&r->greatest, t);
  atomicExch(&r->exchanged, 9);
  atomicAnd(&r->both, ~(1U << t % 8));
  atomicOr(&r->either, 1U << t);
  atomicXor(&r->one, threadIdx.x);
  atomicInc(&r->up, 9);
  atomicDec(&r->down, 9);
}

TEST_P(AtomicsTest, EveryKind) {
  DeviceVector<Results> results(1, Results{1000, 0, 0, 0, 0xffffU, 0, 0, 0, 0});
  launch(all_kinds_kernel, 1, 32, 0, nullptr, results.data());
  const Results r = results.read()[0];
  EXPECT_EQ(r.subtracted, 1000 - 31 * 32 / 2);
  EXPECT_EQ(r.least, -31);
  EXPECT_EQ(r.greatest, 31);
  EXPECT_EQ(r.exchanged, 9);
  EXPECT_EQ(r.both, 0xff00U);
  EXPECT_EQ(r.either, 0xffffffffU);
  EXPECT_EQ(r.one, 0U);
  EXPECT_EQ(r.up, 32U % 10);
  EXPECT_EQ(r.down, (320 - 32U) % 10);
}

// A float maximum from compare-and-swap; in shared memory, too.
__global__ void float_max_kernel(const float* values, float* greatest) {
  GRADFLIP_SHARED(int, bits, [1]);
  if (threadIdx.x == 0) bits[0] = __float_as_int(0.0F);
  __syncthreads();
  const float value = values[threadIdx.x];
  int seen = atomicAdd(&bits[0], 0);
  while (__int_as_float(seen) < value) {
    const int before = atomicCAS(&bits[0], seen, __float_as_int(value));
    if (before == seen) break;
    seen = before;
  }
  __syncthreads();
  if (threadIdx.x == 0) *greatest = __int_as_float(bits[0]);
}

TEST_P(AtomicsTest, CompareAndSwapLoops) {
  std::vector<float> values(64);
  for (int t = 0; t < 64; ++t) values[t] = static_cast<float>(t * 37 % 64);
  DeviceVector<float> x(values);
  DeviceVector<float> greatest(1);
  launch(float_max_kernel, 1, 64, 0, nullptr, x.data(), greatest.data());
  EXPECT_EQ(greatest.read()[0], 63.0F);
}

__global__ void misaligned_kernel(unsigned char* bytes) {
  atomicAdd(reinterpret_cast<unsigned*>(bytes + 2), 1U);
}

TEST_P(AtomicsTest, AMisalignedAddressIsAnError) {
  DeviceVector<unsigned char> bytes(8, 0);
  const std::string error =
      error_of([&] { launch(misaligned_kernel, 1, 1, 0, nullptr, bytes.data()); });
  EXPECT_NE(error.find("atomic on a misaligned address at "), std::string::npos) << error;
}

}  // namespace
}  // namespace simt
