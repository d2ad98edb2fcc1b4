#include "benchmarks/support/fma_loop.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "benchmarks/support/fma_loop.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

// Two FMA units with a latency of four cycles take eight independent sums; ten leave room for a
// longer latency and still fit sixteen registers.
constexpr int kSums = 10;

double fma_loop_simd(std::int64_t rounds, float* result) {
  Floats sums[kSums];
  GRADFLIP_UNROLL
  for (int s = 0; s < kSums; ++s) sums[s] = broadcast(result[0] + static_cast<float>(s));
  const Floats factor = broadcast(result[1]), term = broadcast(result[2]);
  for (std::int64_t round = 0; round < rounds; ++round) {
    GRADFLIP_UNROLL
    for (int s = 0; s < kSums; ++s) sums[s] = hn::MulAdd(sums[s], factor, term);
  }
  Floats total = zeros();
  for (const Floats& sum : sums) total = hn::Add(total, sum);
  alignas(64) float lanes[kLanes];
  store(total, lanes);
  result[0] = lanes[0];
  return 2.0 * static_cast<double>(rounds) * kSums * static_cast<double>(kLanes);
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(fma_loop_simd);

namespace bench {

double fma_loop(std::int64_t rounds, float* result) {
  return HWY_DYNAMIC_DISPATCH(fma_loop_simd)(rounds, result);
}

}  // namespace bench
}  // namespace gradflip
#endif  // HWY_ONCE
