// The register tiles of convolution_tile.h by AVX-512's vdpbf16ps: sum += a[2j] * b[2j] + a[2j+1] *
// b[2j+1] in 16 lanes. For files that compile for those instructions, as kernels/cpu/bf16_avx512.h
// is, and where that is included.
// Products are exact, sums f32; the instruction takes denormals as zero.

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/cpu/bf16_avx512.h"
#include "kernels/rectifier.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace gradflip {
namespace {

using Element = std::uint32_t;  // two bf16 numbers, the first in the low half
using Elements = __m512i;
using Floats = __m512;

constexpr int kAccumulators = 24;  // of 32 registers

HWY_INLINE Floats load(const float* p) { return _mm512_loadu_ps(p); }
HWY_INLINE void store(Floats v, float* p) { _mm512_storeu_ps(p, v); }
HWY_INLINE void store_first(std::int64_t count, Floats v, float* p) {
  _mm512_mask_storeu_ps(p, first_lanes(count), v);
}

HWY_INLINE Elements load_elements(const Element* p) { return _mm512_loadu_si512(p); }
HWY_INLINE Elements broadcast_element(const Element* p) {
  std::int32_t pair;
  std::memcpy(&pair, p, sizeof(pair));
  return _mm512_set1_epi32(pair);
}
HWY_INLINE Floats multiply_add(Elements a, Elements b, Floats sum) {
  return multiply_add_pairs(sum, a, b);
}

HWY_INLINE Floats relu_floats(Floats x) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NLE_UQ), x);
}

// A slope of 0 gives 0 of an infinity, too. Comparisons are those that a NaN fails.
HWY_INLINE Floats rectified_floats(const Rectifier& rectifier, Floats x) {
  const Floats cap = _mm512_set1_ps(rectifier.cap);
  const Floats below = rectifier.slope == 0.0F ? _mm512_setzero_ps()
                                               : _mm512_mul_ps(_mm512_set1_ps(rectifier.slope), x);
  const __mmask16 is_below = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LE_OQ);
  const __mmask16 is_above = _mm512_cmp_ps_mask(x, cap, _CMP_GE_OQ);
  return _mm512_mask_blend_ps(is_below, _mm512_mask_blend_ps(is_above, x, cap), below);
}

// 16 pairs: of their first numbers and of their second ones so many exist, the others are zero.
HWY_INLINE Elements rounded_pairs(std::int64_t firsts, const float* first, std::int64_t seconds,
                                  const float* second) {
  const __m512i low = _mm512_maskz_cvtepu16_epi32(kAll, rounded(firsts, first));
  const __m512i high = _mm512_maskz_cvtepu16_epi32(kAll, rounded(seconds, second));
  return _mm512_or_si512(low, _mm512_maskz_slli_epi32(kAll, high, 16));
}

#include "kernels/cpu/convolution_tile.h"

}  // namespace
}  // namespace gradflip

HWY_POP_ATTRIBUTES
