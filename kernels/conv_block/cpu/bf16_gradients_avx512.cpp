// conv_block_backward_filter's sums by AVX-512's vdpbf16ps: sum += a[2j] * b[2j] + a[2j+1] *
// b[2j+1] in 16 lanes.
//
// Decomposition  that of conv_block_backward_filter.cpp, which keeps the panels. The gradients of
//                two pixels are one pair, broadcast; the parts of x that they meet are interleaved
//                on the way, the halves of each 128 bits one after the other. For 32 columns and
//                two pixels that is 2 loads, 2 interleavings and 2 products, where f32 takes 4
//                loads and 4 products: loads are what f32 waits for.
// Numerics       products are exact, sums f32 in the order of pairs; the instruction takes
//                denormals as zero.
// Speed          12x12x32 -> 5x5x48, 128 images, one core of an AMD EPYC (Zen 5), 2026-11-24: 843
//                us, in f32 1,026 us (kernel_bench).

#include <algorithm>

#include "kernels/conv_block/cpu/bf16_conv_block_avx512.h"
#include "kernels/conv_block/cpu/bf16_gradients.h"
#include "kernels/cpu/bf16_avx512.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace gradflip {
namespace {

constexpr int kMaxGroups = 5;  // of 32 columns: two sums each, and latencies of six are hidden

// sum[0] and sum[1] += pair times the halves of each 128 bits of a and b, interleaved.
HWY_INLINE void add_pair(__m512i pair, __m512i a, __m512i b, __m512* sum) {
  sum[0] = multiply_add_pairs(sum[0], pair, _mm512_maskz_unpacklo_epi16(kAllWords, a, b));
  sum[1] = multiply_add_pairs(sum[1], pair, _mm512_maskz_unpackhi_epi16(kAllWords, a, b));
}

HWY_INLINE void add_to(float* to, __m512 sum) {
  _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), sum));
}

void pair_gradients(std::int64_t pixels, std::int64_t stride, const float* gradients,
                    std::uint32_t* pairs) {
  for (std::int64_t pixel = 0; pixel < pixels; pixel += 2, gradients += 2 * stride) {
    for (std::int64_t k = 0; k < stride; k += kLanes, pairs += kLanes) {
      const __m512i even = _mm512_maskz_cvtepu16_epi32(kAll, rounded(kLanes, gradients + k));
      const __m512i odd = pixel + 1 < pixels ? _mm512_maskz_cvtepu16_epi32(
                                                   kAll, rounded(kLanes, gradients + stride + k))
                                             : _mm512_setzero_si512();
      _mm512_storeu_si512(pairs, _mm512_or_si512(even, _mm512_maskz_slli_epi32(kAll, odd, 16)));
    }
  }
}

// What interleaving has put apart: columns 8L + j and 8L + 4 + j are lane 4L + j of the two sums.
HWY_INLINE void add_in_order(const __m512* sum, float* to) {
  const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i last =
      _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  add_to(to, _mm512_permutex2var_ps(sum[0], first, sum[1]));
  add_to(to + kLanes, _mm512_permutex2var_ps(sum[0], last, sum[1]));
}

template <int kRows, int kGroups>
void accumulate_rows(const Bf16Panel& panel, std::int64_t sum_stride, float* sums) {
  __m512 sum[kRows][2 * kGroups];
  GRADFLIP_UNROLL
  for (int row = 0; row < kRows; ++row) {
    GRADFLIP_UNROLL
    for (int v = 0; v < 2 * kGroups; ++v) sum[row][v] = _mm512_setzero_ps();
  }
  const std::uint32_t* gradients = panel.gradients;
  const std::int32_t* offsets = panel.offsets;
  for (std::int64_t pixel = 0; pixel < panel.pixels; pixel += 2) {
    const __m512i pair = _mm512_set1_epi32(static_cast<std::int32_t>(*gradients));
    const std::uint16_t* a = panel.x + *offsets;
    // Where there is no second pixel its gradient is zero, and the first one's x cannot make a NaN
    // that is not one already.
    const std::uint16_t* b =
        panel.x + (pixel + 1 < panel.pixels ? offsets[panel.stride] : *offsets);
    GRADFLIP_UNROLL
    for (int row = 0; row < kRows; ++row) {
      GRADFLIP_UNROLL
      for (int g = 0; g < kGroups; ++g) {
        const std::int64_t at = row * panel.x_row_stride + g * kBf16Row;
        add_pair(pair, _mm512_loadu_si512(a + at), _mm512_loadu_si512(b + at), sum[row] + 2 * g);
      }
    }
    gradients += panel.stride;
    offsets += 2 * panel.stride;
  }
  GRADFLIP_UNROLL
  for (int row = 0; row < kRows; ++row) {
    GRADFLIP_UNROLL
    for (int g = 0; g < kGroups; ++g) {
      add_in_order(sum[row] + 2 * g, sums + row * sum_stride + g * kBf16Row);
    }
  }
}

template <int kGroups>
constexpr int kMaxRows = std::max(1, 10 / kGroups);

template <int kGroups, int kRows = kMaxRows<kGroups>>
void accumulate_group(Bf16Panel panel, std::int64_t R, std::int64_t sum_stride, float* sums) {
  for (; R >= kRows; R -= kRows) {
    accumulate_rows<kRows, kGroups>(panel, sum_stride, sums);
    panel.x += kRows * panel.x_row_stride;
    sums += kRows * sum_stride;
  }
  if constexpr (kRows > 1) {
    if (R > 0) accumulate_group<kGroups, kRows - 1>(panel, R, sum_stride, sums);
  }
}

template <int kGroups = kMaxGroups>
void accumulate_up_to(std::int64_t groups, const Bf16Panel& panel, std::int64_t R,
                      std::int64_t sum_stride, float* sums) {
  if constexpr (kGroups > 1) {
    if (groups < kGroups) {
      return accumulate_up_to<kGroups - 1>(groups, panel, R, sum_stride, sums);
    }
  }
  accumulate_group<kGroups>(panel, R, sum_stride, sums);
}

void accumulate(const Bf16Panel& panel, std::int64_t R, std::int64_t columns,
                std::int64_t sum_stride, float* sums) {
  const std::int64_t groups = columns / kBf16Row;
  Bf16Panel part = panel;
  for (std::int64_t first = 0; first < groups; first += kMaxGroups) {
    part.x = panel.x + first * kBf16Row;
    accumulate_up_to(std::min<std::int64_t>(groups - first, kMaxGroups), part, R, sum_stride,
                     sums + first * kBf16Row);
  }
}

void round(std::int64_t count, const float* x, std::uint16_t* to) { round_to_bf16(count, x, to); }

}  // namespace

const Bf16Gradients kAvx512Gradients{round, pair_gradients, accumulate};

}  // namespace gradflip

HWY_POP_ATTRIBUTES
