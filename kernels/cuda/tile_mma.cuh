// A warp's part of the C tile on tensor cores: (WM/16) x (WN/8) fragments of 16 x 8, f32 sums in
// registers. The layouts of the fragments are in mma.h.
//
// ldmatrix hands out four 8 x 8 matrices of 16-bit elements; of f32 it makes 8 rows of 4, which is
// the tf32 fragment. It also transposes, but 16-bit elements only: bf16 is read from either order,
// tf32 with k as the rows is read element by element.
//
// tf32x3: an operand x is big + small, big = tf32(x) and small = tf32(x - big), and a product is
// small b + a small + big b, three mma for one. What is left out, small times small, and the
// rounding of the small parts are below 2^-20 of the product together. Shared memory holds x, so
// it costs what tf32 costs; splitting is three instructions per register of a fragment, which
// serves six to twelve mma. An operand that is not finite, or rounds to infinity (beyond 3.4e38),
// makes its sums NaN.
#pragma once

#include <cstdint>

#include "kernels/cuda/mma.h"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

// N registers of an operand, as the mode multiplies them.
template <Math kMath, int N>
struct Fragment {
  std::uint32_t bits[N];
};
template <int N>
struct Fragment<Math::kTf32x3, N> {
  std::uint32_t big[N], small[N];
};

template <Math kMath, int N>
__device__ __forceinline__ void set_register(Fragment<kMath, N>& fragment, int i,
                                             std::uint32_t bits) {
  if constexpr (kMath == Math::kTf32x3) {
    const float x = __uint_as_float(bits);
    fragment.big[i] = to_tf32(x);
    fragment.small[i] = to_tf32(x - __uint_as_float(fragment.big[i]));
  } else {
    fragment.bits[i] = bits;
  }
}

template <Math kMath>
__device__ __forceinline__ void multiply_fragments(float (&d)[4], const Fragment<kMath, 4>& a,
                                                   const Fragment<kMath, 2>& b) {
  if constexpr (kMath == Math::kTf32x3) {
    mma_m16n8k8_tf32(d, a.small, b.big);
    mma_m16n8k8_tf32(d, a.big, b.small);
    mma_m16n8k8_tf32(d, a.big, b.big);
  } else if constexpr (kMath == Math::kTf32) {
    mma_m16n8k8_tf32(d, a.bits, b.bits);
  } else {
    mma_m16n8k16_bf16(d, a.bits, b.bits);
  }
}

__device__ __forceinline__ std::uint32_t bits_of(std::uint32_t x) { return x; }
__device__ __forceinline__ std::uint32_t bits_of(float x) { return __float_as_uint(x); }

template <typename Shape>
class MmaSums {
  using Element = StagedElement<Shape::kMath>;
  template <int N>
  using Fragment = gradflip::Fragment<Shape::kMath, N>;

 public:
  static constexpr int kStagedPadding = 8;  // conflict-free 8-byte stores of store()

  // += A B of one step, from shared memory.
  template <typename LayoutA, typename LayoutB>
  __device__ __forceinline__ void multiply(const Place<Shape>& place, const Element* a,
                                           const Element* b) {
#pragma unroll
    for (int k = 0; k < Shape::BK; k += kStepK) {
      Fragment<4> rows[kTilesM];
#pragma unroll
      for (int i = 0; i < kTilesM; ++i) {
        // Blocks of the A fragment in the order of its registers: down, then along k.
        std::uint32_t blocks[4];
        load_blocks<LayoutA, 8, 0, 0, kHalfK>(place.lane, a, place.row + 16 * i, k, blocks);
#pragma unroll
        for (int r = 0; r < 4; ++r) set_register(rows[i], r, blocks[r]);
      }
#pragma unroll
      for (int j = 0; j < kTilesN; j += 2) {
        // Two B fragments at once: along k, then to the next eight columns.
        std::uint32_t pair[4];
        load_blocks<LayoutB, 0, kHalfK, 8, 0>(place.lane, b, place.column + 8 * j, k, pair);
        Fragment<2> columns[2];
#pragma unroll
        for (int r = 0; r < 4; ++r) set_register(columns[r / 2], r % 2, pair[r]);
#pragma unroll
        for (int i = 0; i < kTilesM; ++i) {
          multiply_fragments(sums_[i][j], rows[i], columns[0]);
          multiply_fragments(sums_[i][j + 1], rows[i], columns[1]);
        }
      }
    }
  }

  // Into rows of `pitch` floats; `tile` begins at the tile's (0, 0).
  __device__ __forceinline__ void store(const Place<Shape>& place, float* tile, int pitch) const {
    tile += (place.row + place.lane / 4) * pitch + place.column + 2 * (place.lane % 4);
#pragma unroll
    for (int i = 0; i < kTilesM; ++i) {
#pragma unroll
      for (int j = 0; j < kTilesN; ++j) {
        float* to = tile + 16 * i * pitch + 8 * j;
        const float(&d)[4] = sums_[i][j];
        *reinterpret_cast<float2*>(to) = make_float2(d[0], d[1]);
        *reinterpret_cast<float2*>(to + 8 * pitch) = make_float2(d[2], d[3]);
      }
    }
  }

 private:
  static constexpr int kStepK = Shape::kMath == Math::kBf16 ? 16 : 8;  // of one mma
  static constexpr int kHalfK = kStepK / 2;                            // of one register
  static constexpr int kTilesM = Shape::WM / 16, kTilesN = Shape::WN / 8;

  // Four blocks of 8 (outer) x kHalfK (k) elements: block j begins (j & 1) * (kOuter1, kK1) and
  // (j >> 1) * (kOuter2, kK2) after (outer, k).
  template <typename Layout, int kOuter1, int kK1, int kOuter2, int kK2>
  __device__ __forceinline__ static void load_blocks(int lane, const Element* tile, int outer,
                                                     int k, std::uint32_t (&blocks)[4]) {
    if constexpr (Layout::kOuterMajor || Shape::kMath == Math::kBf16) {
      // The lane names row lane % 8 of block lane / 8, in the order in which rows are stored.
      const int in_block = lane % 8;
      const int first = lane / 8 % 2;
      const int second = lane / 16;
      outer += first * kOuter1 + second * kOuter2 + (Layout::kOuterMajor ? in_block : 0);
      k += first * kK1 + second * kK2 + (Layout::kOuterMajor ? 0 : in_block);
      ldmatrix_x4<!Layout::kOuterMajor>(blocks, tile + Layout::offset(outer, k));
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        blocks[j] =
            bits_of(tile[Layout::offset(outer + (j & 1) * kOuter1 + (j >> 1) * kOuter2 + lane / 4,
                                        k + (j & 1) * kK1 + (j >> 1) * kK2 + lane % 4)]);
      }
    }
  }

  float sums_[kTilesM][kTilesN][4] = {};
};

}  // namespace gradflip
