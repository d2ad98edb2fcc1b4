// Matrix products by AVX-512's vdpbf16ps: sum += a[2j] * b[2j] + a[2j+1] * b[2j+1] in 16 lanes.
//
// Decomposition  B by rows along n (A either way): tiles of 4 rows x up to 6 vectors of columns, as
//                gemm_broadcast.h has them. Pairs run along k: neighbouring rows of B, and of an A
//                that is stored (K,M), are interleaved once, a panel at a time, while rounding.
//                B by rows along k: tiles of 3 x 8 dot products, as gemm_dot.h has them. Eight rows
//                of B are rounded once for all rows of A; those of A on their way to the registers.
// Numerics       products are exact, sums f32: a chain over the pairs of kDepth elements of k, such
//                chains added in order. Neither M nor alignment changes a bit. The instruction
//                takes denormals as zero.
// Scratch        on the stack: panels are at most 32 KiB.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/bf16_avx512.h"
#include "kernels/cpu/bf16_products.h"
#include "kernels/gemm/bf16_gemm.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace gradflip {
namespace {

// What becomes of a sum: C (+)= scale * sum.
struct Epilogue {
  float scale;
  Write write;

  // Of the first `count` columns of c.
  HWY_INLINE void store(__m512 sum, std::int64_t count, float* c) const {
    const __mmask16 lanes = first_lanes(count);
    __m512 result = _mm512_mul_ps(_mm512_set1_ps(scale), sum);
    if (write == Write::kAccumulate)
      result = _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, c), result);
    _mm512_mask_storeu_ps(c, lanes, result);
  }
  HWY_INLINE void store(__m128 sum, std::int64_t count, float* c) const {
    const auto lanes = static_cast<__mmask8>(first_lanes(count) & 0xFU);
    __m128 result = _mm_mul_ps(_mm_set1_ps(scale), sum);
    if (write == Write::kAccumulate) result = _mm_add_ps(_mm_maskz_loadu_ps(lanes, c), result);
    _mm_mask_storeu_ps(c, lanes, result);
  }
};

// B by rows along n.

constexpr std::int64_t kDepth = 128;  // of a panel, along k
constexpr std::int64_t kPairs = kDepth / 2;
constexpr std::int64_t kPanelRows = 128;  // of A
constexpr int kTileRows = 4;
constexpr int kTileVectors = 6;  // 24 of 32 registers are sums

// 16 columns of two rows, rounded, side by side in each lane. `second` null: zeros.
HWY_INLINE __m512i interleaved(std::int64_t count, const float* first, const float* second) {
  const __m512i low = _mm512_maskz_cvtepu16_epi32(kAll, rounded(count, first));
  if (second == nullptr) return low;
  const __m512i high = _mm512_maskz_cvtepu16_epi32(kAll, rounded(count, second));
  return _mm512_or_si512(low, _mm512_maskz_slli_epi32(kAll, high, 16));
}

// Rows of `columns` elements to pairs (rows / 2, whole vectors): neighbouring rows in one word.
void interleave_rows(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t stride,
                     std::uint32_t* pairs) {
  for (std::int64_t row = 0; row < rows; row += 2, x += 2 * stride) {
    const float* second = row + 1 < rows ? x + stride : nullptr;
    for (std::int64_t n = 0; n < columns; n += kLanes, pairs += kLanes) {
      _mm512_store_si512(pairs,
                         interleaved(columns - n, x + n, second != nullptr ? second + n : nullptr));
    }
  }
}

// Rows of `columns` elements, each rounded, to words of neighbours: (rows, kPairs).
void pair_columns(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t stride,
                  std::uint32_t* pairs) {
  for (std::int64_t row = 0; row < rows; ++row, x += stride, pairs += kPairs) {
    for (std::int64_t k = 0; k < columns; k += kLanes) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(pairs + k / 2), rounded(columns - k, x + k));
    }
  }
}

// A's pairs: word (m, pair) is at m * row_stride + pair * pair_stride.
struct PairedRows {
  const std::uint32_t* pairs;
  std::int64_t row_stride, pair_stride;
};

template <int kRows, int kVectors>
void multiply_tile(std::int64_t pairs, const PairedRows& a, const std::uint32_t* b,
                   std::int64_t columns, Epilogue epilogue, float* c, std::int64_t c_stride) {
  __m512 sum[kRows][kVectors];
  GRADFLIP_UNROLL
  for (int row = 0; row < kRows; ++row) {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[row][v] = _mm512_setzero_ps();
  }
  const std::uint32_t* left = a.pairs;
  for (std::int64_t pair = 0; pair < pairs; ++pair, left += a.pair_stride) {
    __m512i column[kVectors];
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) column[v] = _mm512_load_si512(b + v * kLanes);
    b += kVectors * kLanes;
    GRADFLIP_UNROLL
    for (int row = 0; row < kRows; ++row) {
      const __m512i value = _mm512_set1_epi32(static_cast<std::int32_t>(left[row * a.row_stride]));
      GRADFLIP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        sum[row][v] = multiply_add_pairs(sum[row][v], value, column[v]);
      }
    }
  }
  GRADFLIP_UNROLL
  for (int row = 0; row < kRows; ++row) {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      epilogue.store(sum[row][v], columns - v * kLanes, c + row * c_stride + v * kLanes);
    }
  }
}

template <int kVectors, int kRows = kTileRows>
void multiply_rows(std::int64_t M, std::int64_t pairs, PairedRows a, const std::uint32_t* b,
                   std::int64_t columns, Epilogue epilogue, float* c, std::int64_t c_stride) {
  for (; M >= kRows; M -= kRows) {
    multiply_tile<kRows, kVectors>(pairs, a, b, columns, epilogue, c, c_stride);
    a.pairs += kRows * a.row_stride;
    c += kRows * c_stride;
  }
  if constexpr (kRows > 1) {
    if (M > 0) multiply_rows<kVectors, kRows - 1>(M, pairs, a, b, columns, epilogue, c, c_stride);
  }
}

template <int kVectors = kTileVectors>
void multiply_columns(std::int64_t vectors, std::int64_t M, std::int64_t pairs, const PairedRows& a,
                      const std::uint32_t* b, std::int64_t columns, Epilogue epilogue, float* c,
                      std::int64_t c_stride) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) {
      return multiply_columns<kVectors - 1>(vectors, M, pairs, a, b, columns, epilogue, c,
                                            c_stride);
    }
  }
  multiply_rows<kVectors>(M, pairs, a, b, columns, epilogue, c, c_stride);
}

// kDepth of K at most, kPanelRows of M at most.
void multiply_panel(const GemmShape& shape, std::int64_t M, std::int64_t K, const float* a,
                    const float* b, Epilogue epilogue, float* c) {
  alignas(64) std::uint32_t left[kPanelRows * kPairs];
  alignas(64) std::uint32_t right[kPairs * kTileVectors * kLanes];
  PairedRows rows{left, kPairs, 1};
  if (shape.transpose_a) {
    interleave_rows(K, M, a, shape.M, left);
    rows = {left, 1, (M + kLanes - 1) / kLanes * kLanes};
  } else {
    pair_columns(M, K, a, shape.K, left);
  }
  const std::int64_t vectors = (shape.N + kLanes - 1) / kLanes;
  const std::int64_t blocks = (vectors + kTileVectors - 1) / kTileVectors;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t first = vectors * block / blocks;
    const std::int64_t end = vectors * (block + 1) / blocks;
    const std::int64_t begin = first * kLanes;
    const std::int64_t columns = std::min(shape.N, end * kLanes) - begin;
    interleave_rows(K, columns, b + begin, shape.N, right);
    multiply_columns(end - first, M, (K + 1) / 2, rows, right, columns, epilogue, c + begin,
                     shape.N);
  }
}

void multiply_along_n(const GemmShape& shape, float scale, const float* a, const float* b,
                      Write write, float* c) {
  for (std::int64_t m = 0; m < shape.M; m += kPanelRows) {
    for (std::int64_t k = 0; k < shape.K; k += kDepth) {
      const float* from = shape.transpose_a ? a + k * shape.M + m : a + m * shape.K + k;
      multiply_panel(shape, std::min(kPanelRows, shape.M - m), std::min(kDepth, shape.K - k), from,
                     b + k * shape.N, {scale, k == 0 ? write : Write::kAccumulate},
                     c + m * shape.N);
    }
  }
}

// B by rows along k.

constexpr std::int64_t kDotDepth = 1024;  // of rows that are rounded at once
constexpr std::int64_t kVectorElements = 32;
constexpr int kDotRows = 3, kDotColumns = 8;

// 32 values of which the first `count` exist; zeros for the others.
HWY_INLINE __m512i rounded_vector(std::int64_t count, const float* x) {
  const __m512 low = _mm512_maskz_loadu_ps(first_lanes(count), x);
  const __m512 high = _mm512_maskz_loadu_ps(first_lanes(count - kLanes), x + kLanes);
  return __builtin_bit_cast(__m512i, _mm512_cvtne2ps_pbh(high, low));
}

// Lane by lane within 128 bits: (v0 + v2, w0 + w2, v1 + v3, w1 + w3).
HWY_INLINE __m512 add_halves(__m512 v, __m512 w) {
  return _mm512_add_ps(_mm512_maskz_unpacklo_ps(kAll, v, w), _mm512_maskz_unpackhi_ps(kAll, v, w));
}

// The sums of four vectors' lanes.
HWY_INLINE __m128 add_lanes(const __m512* sum) {
  const __m512d left = _mm512_castps_pd(add_halves(sum[0], sum[1]));
  const __m512d right = _mm512_castps_pd(add_halves(sum[2], sum[3]));
  constexpr __mmask8 kAllPairs = 0xFF;
  const __m512 blocks =
      _mm512_add_ps(_mm512_castpd_ps(_mm512_maskz_unpacklo_pd(kAllPairs, left, right)),
                    _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(kAllPairs, left, right)));
  return _mm_add_ps(_mm_add_ps(_mm512_maskz_extractf32x4_ps(kAllPairs, blocks, 0),
                               _mm512_maskz_extractf32x4_ps(kAllPairs, blocks, 1)),
                    _mm_add_ps(_mm512_maskz_extractf32x4_ps(kAllPairs, blocks, 2),
                               _mm512_maskz_extractf32x4_ps(kAllPairs, blocks, 3)));
}

// kRows rows of A by the block of kDotColumns rows of B, of which `columns` are wanted.
template <int kRows>
void dot_tile(std::int64_t K, const float* a, std::int64_t a_stride, const std::uint16_t* b,
              std::int64_t b_stride, std::int64_t columns, Epilogue epilogue, float* c,
              std::int64_t c_stride) {
  __m512 sum[kRows][kDotColumns];
  GRADFLIP_UNROLL
  for (int m = 0; m < kRows; ++m) {
    GRADFLIP_UNROLL
    for (int n = 0; n < kDotColumns; ++n) sum[m][n] = _mm512_setzero_ps();
  }
  for (std::int64_t k = 0; k < K; k += kVectorElements) {
    __m512i left[kRows];
    GRADFLIP_UNROLL
    for (int m = 0; m < kRows; ++m) left[m] = rounded_vector(K - k, a + m * a_stride + k);
    GRADFLIP_UNROLL
    for (int n = 0; n < kDotColumns; ++n) {
      const __m512i right = _mm512_load_si512(b + n * b_stride + k);
      GRADFLIP_UNROLL
      for (int m = 0; m < kRows; ++m) sum[m][n] = multiply_add_pairs(sum[m][n], left[m], right);
    }
  }
  GRADFLIP_UNROLL
  for (int m = 0; m < kRows; ++m) {
    float* to = c + m * c_stride;
    GRADFLIP_UNROLL
    for (int n = 0; n < kDotColumns; n += 4) {
      epilogue.store(add_lanes(sum[m] + n), columns - n, to + n);
    }
  }
}

template <int kRows = kDotRows>
void dot_rows(std::int64_t M, std::int64_t K, const float* a, std::int64_t a_stride,
              const std::uint16_t* b, std::int64_t b_stride, std::int64_t columns,
              Epilogue epilogue, float* c, std::int64_t c_stride) {
  for (; M >= kRows; M -= kRows) {
    dot_tile<kRows>(K, a, a_stride, b, b_stride, columns, epilogue, c, c_stride);
    a += kRows * a_stride;
    c += kRows * c_stride;
  }
  if constexpr (kRows > 1) {
    if (M > 0) {
      dot_rows<kRows - 1>(M, K, a, a_stride, b, b_stride, columns, epilogue, c, c_stride);
    }
  }
}

void multiply_along_k(const GemmShape& shape, float scale, const float* a, const float* b,
                      Write write, float* c) {
  alignas(64) std::uint16_t block[kDotColumns * kDotDepth];
  for (std::int64_t k = 0; k < shape.K; k += kDotDepth) {
    const std::int64_t depth = std::min(kDotDepth, shape.K - k);
    const std::int64_t stride = (depth + kVectorElements - 1) / kVectorElements * kVectorElements;
    for (std::int64_t n = 0; n < shape.N; n += kDotColumns) {
      const std::int64_t columns = std::min<std::int64_t>(kDotColumns, shape.N - n);
      for (std::int64_t column = 0; column < kDotColumns; ++column) {
        // In the place of columns that are not there, the last one once more.
        const float* row = b + (n + std::min(column, columns - 1)) * shape.K + k;
        for (std::int64_t at = 0; at < depth; at += kVectorElements) {
          _mm512_store_si512(block + column * stride + at, rounded_vector(depth - at, row + at));
        }
      }
      dot_rows(shape.M, depth, a + k, shape.K, block, stride, columns,
               {scale, k == 0 ? write : Write::kAccumulate}, c + n, shape.N);
    }
  }
}

void run(const GemmShape& shape, float scale, const float* a, const float* b, Write write,
         float* c) {
  shape.transpose_b ? multiply_along_k(shape, scale, a, b, write, c)
                    : multiply_along_n(shape, scale, a, b, write, c);
}

}  // namespace

const Bf16Gemm* avx512_bf16_gemm() {
  static constexpr Bf16Gemm kGemm{run};
  return has_avx512_bf16_products() ? &kGemm : nullptr;
}

}  // namespace gradflip

HWY_POP_ATTRIBUTES
