// Products with a transposed right side, per SIMD target (see simd.h): C = A op(B), B stored (N,K).
//
// Decomposition  both sides are consecutive along k: a tile keeps one vector of partial sums per
//                element, for 3 rows of A x 8 rows of B (4 where 16 registers have to do), and adds
//                up its lanes at the end. Transposing B first would cost 0.3 cycles per element of
//                B on Zen 5, a fifth of the whole product at the 32 rows of a micro-batch.
// Numerics       per lane one chain over k, then a fixed tree over the lanes, whatever the tile.

#include "kernels/cpu/simd.h"  // before the guard: it switches targets

#if defined(GRADFLIP_KERNELS_GEMM_GEMM_DOT_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADFLIP_KERNELS_GEMM_GEMM_DOT_H
#undef GRADFLIP_KERNELS_GEMM_GEMM_DOT_H
#else
#define GRADFLIP_KERNELS_GEMM_GEMM_DOT_H
#endif

#include <algorithm>

#include "kernels/gemm/gemm_broadcast.h"  // Epilogue

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

constexpr int kDotRows = 3;
constexpr int kDotColumns = kAccumulators / kDotRows;
constexpr int kDotGroup = 4;  // vectors whose lanes are added up together

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void add_lanes(const Floats* group, float* sums) {
  for (int i = 0; i < kDotGroup; ++i) store(group[i], sums + i);
}
#else
// Adds up the 128-bit blocks of a vector.
template <class D, class V>
HWY_INLINE hn::Vec<hn::Full128<float> > add_blocks(D /*tag*/, V v) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return v;
  } else {
    const hn::Half<D> half;
    return add_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// sums[i] = the sum of group[i]'s lanes. Four at a time take 13 instructions with AVX-512, one
// alone 8.
HWY_INLINE void add_lanes(const Floats* group, float* sums) {
  const FloatTag d;
  const hn::Repartition<double, FloatTag> pairs;
  const auto add_halves = [d](Floats v, Floats w) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, v, w), hn::InterleaveUpper(d, v, w));
  };
  const auto left = hn::BitCast(pairs, add_halves(group[0], group[1]));
  const auto right = hn::BitCast(pairs, add_halves(group[2], group[3]));
  const Floats per_block = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, left, right)),
                                   hn::BitCast(d, hn::InterleaveUpper(pairs, left, right)));
  hn::StoreU(add_blocks(d, per_block), hn::Full128<float>(), sums);
}
#endif

// One tile, of which the first `columns` columns are wanted (the others repeat the last).
template <int kRows, int kColumns>
void dot_tile(std::int64_t columns, std::int64_t K, const float* a, const float* b,
              Epilogue epilogue, float* c, std::int64_t c_stride) {
  const float* b_rows[kColumns];
  GRADFLIP_UNROLL
  for (int n = 0; n < kColumns; ++n) b_rows[n] = b + std::min<std::int64_t>(n, columns - 1) * K;
  Floats sum[kRows][kColumns];
  GRADFLIP_UNROLL
  for (int m = 0; m < kRows; ++m) {
    GRADFLIP_UNROLL
    for (int n = 0; n < kColumns; ++n) sum[m][n] = zeros();
  }
  std::int64_t k = 0;
  for (; k + kLanes <= K; k += kLanes) {
    Floats left[kRows];
    GRADFLIP_UNROLL
    for (int m = 0; m < kRows; ++m) left[m] = load(a + m * K + k);
    GRADFLIP_UNROLL
    for (int n = 0; n < kColumns; ++n) {
      const Floats right = load(b_rows[n] + k);
      GRADFLIP_UNROLL
      for (int m = 0; m < kRows; ++m) sum[m][n] = hn::MulAdd(left[m], right, sum[m][n]);
    }
  }
  if (k < K) {
    Floats left[kRows];
    GRADFLIP_UNROLL
    for (int m = 0; m < kRows; ++m) left[m] = load_first(K - k, a + m * K + k);
    GRADFLIP_UNROLL
    for (int n = 0; n < kColumns; ++n) {
      const Floats right = load_first(K - k, b_rows[n] + k);
      GRADFLIP_UNROLL
      for (int m = 0; m < kRows; ++m) sum[m][n] = hn::MulAdd(left[m], right, sum[m][n]);
    }
  }
  GRADFLIP_UNROLL
  for (int m = 0; m < kRows; ++m) {
    float dots[kColumns];
    GRADFLIP_UNROLL
    for (int n = 0; n < kColumns; n += kDotGroup) add_lanes(sum[m] + n, dots + n);
    float* to = c + m * c_stride;
    for (std::int64_t n = 0; n < columns; ++n) {
      const float result = epilogue.scale * dots[n];
      to[n] = epilogue.write == Write::kAccumulate ? to[n] + result : result;
    }
  }
}

template <int kColumns, int kRows = kDotRows>
void dot_columns(std::int64_t M, std::int64_t columns, std::int64_t K, const float* a,
                 const float* b, Epilogue epilogue, float* c, std::int64_t c_stride) {
  for (; M >= kRows; M -= kRows) {
    dot_tile<kRows, kColumns>(columns, K, a, b, epilogue, c, c_stride);
    a += kRows * K;
    c += kRows * c_stride;
  }
  if constexpr (kRows > 1) {
    if (M > 0) dot_columns<kColumns, kRows - 1>(M, columns, K, a, b, epilogue, c, c_stride);
  }
}

// C (M,N) (+)= scale * a (M,K) b^T, b stored (N,K).
void gemm_dot(std::int64_t M, std::int64_t N, std::int64_t K, const float* a, const float* b,
              Epilogue epilogue, float* c) {
  for (std::int64_t n = 0; n < N;) {
    const std::int64_t left = N - n;
    if (left > kDotGroup) {
      dot_columns<kDotColumns>(M, std::min<std::int64_t>(left, kDotColumns), K, a, b + n * K,
                               epilogue, c + n, N);
      n += kDotColumns;
    } else {
      dot_columns<kDotGroup>(M, left, K, a, b + n * K, epilogue, c + n, N);
      n += kDotGroup;
    }
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
