// What the AVX-512 BF16 kernels share. For files that compile for those instructions: included
// where they are switched on.
//
// Such a file is an instruction set's own, because the oldest Highway that the project builds with
// (1.0.3) has no target with these instructions; and nothing in it runs before
// has_avx512_bf16_products() has been asked.

#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/simd_targets.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace gradflip {
namespace {

constexpr std::int64_t kLanes = 16;

// g++ 12 takes the forms without a mask for uninitialised.
constexpr __mmask16 kAll = 0xFFFF;
constexpr __mmask32 kAllWords = 0xFFFFFFFF;

HWY_INLINE __mmask16 first_lanes(std::int64_t count) {
  return static_cast<__mmask16>((1U << std::clamp<std::int64_t>(count, 0, kLanes)) - 1U);
}

// 16 values at a time, of which the first `count` exist; zeros for the others. To nearest, ties to
// even; a NaN stays one.
HWY_INLINE __m256i rounded(std::int64_t count, const float* x) {
  return __builtin_bit_cast(__m256i,
                            _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(first_lanes(count), x)));
}

HWY_INLINE void round_to_bf16(std::int64_t count, const float* x, std::uint16_t* to) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    _mm256_mask_storeu_epi16(to + i, first_lanes(count - i), rounded(count - i, x + i));
  }
}

HWY_INLINE __m512 multiply_add_pairs(__m512 sum, __m512i x, __m512i w) {
  return _mm512_dpbf16_ps(sum, __builtin_bit_cast(__m512bh, x), __builtin_bit_cast(__m512bh, w));
}

}  // namespace
}  // namespace gradflip

HWY_POP_ATTRIBUTES
