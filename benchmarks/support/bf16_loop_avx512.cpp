#include <immintrin.h>

#include "benchmarks/support/bf16_loop.h"
#include "kernels/cpu/simd_targets.h"
#include "kernels/math_mode.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512vl,avx512bf16")

namespace gradflip::bench {
namespace {

constexpr int kSums = 24;  // two units with a latency of six take twelve

double dot_loop(std::int64_t rounds, float* result) {
  __m512 sums[kSums];
  GRADFLIP_UNROLL
  for (int s = 0; s < kSums; ++s) sums[s] = _mm512_set1_ps(result[0] + static_cast<float>(s));
  const auto x = __builtin_bit_cast(__m512bh, _mm512_set1_ps(result[1]));
  for (std::int64_t round = 0; round < rounds; ++round) {
    GRADFLIP_UNROLL
    for (int s = 0; s < kSums; ++s) sums[s] = _mm512_dpbf16_ps(sums[s], x, x);
  }
  __m512 total = _mm512_setzero_ps();
  for (const __m512& sum : sums) total = _mm512_add_ps(total, sum);
  float lanes[16];
  _mm512_storeu_ps(lanes, total);
  result[0] = lanes[0];
  return 4.0 * static_cast<double>(rounds) * kSums * 16;
}

}  // namespace
}  // namespace gradflip::bench

HWY_POP_ATTRIBUTES

namespace gradflip::bench {

double bf16_loop(std::int64_t rounds, float* result) {
  return computes_in(Cpu{}, Math::kBf16) ? dot_loop(rounds, result) : 0.0;
}

}  // namespace gradflip::bench
