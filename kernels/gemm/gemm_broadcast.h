// Products with a row-major right side, per SIMD target (see simd.h): C = op(A) B.
//
// Decomposition  tiles of 4 rows x up to 6 vectors of columns (3 where 16 registers have to do).
//                Per k: the vectors of B once, and one broadcast element of A per row. A may be
//                stored either way.
// Numerics       every element is one chain of multiply-adds over k, whatever tile it falls into.

#include "kernels/cpu/simd.h"  // before the guard: it switches targets

#if defined(GRADFLIP_KERNELS_GEMM_GEMM_BROADCAST_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADFLIP_KERNELS_GEMM_GEMM_BROADCAST_H
#undef GRADFLIP_KERNELS_GEMM_GEMM_BROADCAST_H
#else
#define GRADFLIP_KERNELS_GEMM_GEMM_BROADCAST_H
#endif

#include <algorithm>

#include "kernels/write.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

constexpr int kBroadcastRows = 4;
constexpr int kBroadcastVectors = kAccumulators / kBroadcastRows;

// A[m,k] = a[m*row_stride + k*k_stride].
struct LeftOperand {
  const float* a;
  std::int64_t row_stride, k_stride;
};

// What becomes of a sum: C (+)= scale * sum.
struct Epilogue {
  float scale;
  Write write;
};

// One tile. Of the last vector of columns only the first `last` elements exist, if kPartial.
template <int kRows, int kVectors, bool kPartial>
void broadcast_tile(std::int64_t K, std::int64_t last, const LeftOperand& left, const float* b,
                    std::int64_t b_stride, Epilogue epilogue, float* c, std::int64_t c_stride) {
  constexpr int kLast = kVectors - 1;
  Floats sum[kRows][kVectors];
  GRADFLIP_UNROLL
  for (int row = 0; row < kRows; ++row) {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[row][v] = zeros();
  }
  const float* a = left.a;
  const std::int64_t row_stride = left.row_stride;
  const std::int64_t k_stride = left.k_stride;
  for (std::int64_t k = 0; k < K; ++k, a += k_stride, b += b_stride) {
    Floats column[kVectors];
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const float* from = b + v * kLanes;
      column[v] = kPartial && v == kLast ? load_first(last, from) : load(from);
    }
    GRADFLIP_UNROLL
    for (int row = 0; row < kRows; ++row) {
      const Floats value = broadcast(a[row * row_stride]);
      GRADFLIP_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        sum[row][v] = hn::MulAdd(value, column[v], sum[row][v]);
      }
    }
  }
  const Floats scale = broadcast(epilogue.scale);
  GRADFLIP_UNROLL
  for (int row = 0; row < kRows; ++row) {
    GRADFLIP_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      float* to = c + row * c_stride + v * kLanes;
      const bool partial = kPartial && v == kLast;
      Floats result = hn::Mul(scale, sum[row][v]);
      if (epilogue.write == Write::kAccumulate) {
        result = hn::Add(partial ? load_first(last, to) : load(to), result);
      }
      if (partial) {
        store_first(last, result, to);
      } else {
        store(result, to);
      }
    }
  }
}

// All rows of one block of columns: whole tiles, then one of the rows that are left.
template <int kVectors, bool kPartial, int kRows = kBroadcastRows>
void broadcast_columns(std::int64_t M, std::int64_t K, std::int64_t last, LeftOperand left,
                       const float* b, std::int64_t b_stride, Epilogue epilogue, float* c,
                       std::int64_t c_stride) {
  for (; M >= kRows; M -= kRows) {
    broadcast_tile<kRows, kVectors, kPartial>(K, last, left, b, b_stride, epilogue, c, c_stride);
    left.a += kRows * left.row_stride;
    c += kRows * c_stride;
  }
  if constexpr (kRows > 1) {
    if (M > 0) {
      broadcast_columns<kVectors, kPartial, kRows - 1>(M, K, last, left, b, b_stride, epilogue, c,
                                                       c_stride);
    }
  }
}

using BroadcastColumns = decltype(&broadcast_columns<1, false>);

template <int kVectors = kBroadcastVectors>
BroadcastColumns choose_broadcast_columns(std::int64_t vectors, bool partial) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return choose_broadcast_columns<kVectors - 1>(vectors, partial);
  }
  return partial ? &broadcast_columns<kVectors, true> : &broadcast_columns<kVectors, false>;
}

// C (M,N) (+)= scale * A (M,K) b (K,N); c_stride floats from one row of C to the next is N.
void gemm_broadcast(std::int64_t M, std::int64_t N, std::int64_t K, const LeftOperand& left,
                    const float* b, Epilogue epilogue, float* c) {
  const std::int64_t vectors = vectors_for(N);
  const std::int64_t blocks = (vectors + kBroadcastVectors - 1) / kBroadcastVectors;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t first = vectors * block / blocks;
    const std::int64_t end = vectors * (block + 1) / blocks;
    const std::int64_t last = std::min(N - (end - 1) * kLanes, kLanes);
    choose_broadcast_columns(end - first, last < kLanes)(M, K, last, left, b + first * kLanes, N,
                                                         epilogue, c + first * kLanes, N);
  }
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
