// A warp's part of the C tile on tensor cores: (WM/16) x (WN/8) fragments of 16 x 8, f32 sums in
// registers. The layouts of the fragments are in mma.h.
//
// ldmatrix hands out four 8 x 8 matrices of 16-bit elements; of f32 it makes 8 rows of 4, which is
// the tf32 fragment. It also transposes, but 16-bit elements only: bf16 is read from either order,
// tf32 with k as the rows is read element by element.
#pragma once

#include <cstdint>

#include "kernels/cuda/mma.h"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

__device__ __forceinline__ void multiply_fragments(float (&d)[4], const std::uint32_t (&a)[4],
                                                   const std::uint32_t (&b)[2],
                                                   const std::uint32_t* /*of tf32*/) {
  mma_m16n8k8_tf32(d, a, b);
}
__device__ __forceinline__ void multiply_fragments(float (&d)[4], const std::uint32_t (&a)[4],
                                                   const std::uint32_t (&b)[2],
                                                   const std::uint16_t* /*of bf16*/) {
  mma_m16n8k16_bf16(d, a, b);
}

template <typename Shape>
class MmaSums {
  using Element = StagedElement<Shape::kMath>;

 public:
  static constexpr int kStagedPadding = 8;  // conflict-free 8-byte stores of store()

  // += A B of one step, from shared memory.
  template <typename LayoutA, typename LayoutB>
  __device__ __forceinline__ void multiply(const Place<Shape>& place, const Element* a,
                                           const Element* b) {
#pragma unroll
    for (int k = 0; k < Shape::BK; k += kStepK) {
      std::uint32_t rows[kTilesM][4];
      std::uint32_t columns[kTilesN][2];
#pragma unroll
      for (int i = 0; i < kTilesM; ++i) {
        // Blocks of the A fragment in the order of its registers: down, then along k.
        load_blocks<LayoutA, 8, 0, 0, kHalfK>(place.lane, a, place.row + 16 * i, k, rows[i]);
      }
#pragma unroll
      for (int j = 0; j < kTilesN; j += 2) {
        // Two B fragments at once: along k, then to the next eight columns.
        std::uint32_t pair[4];
        load_blocks<LayoutB, 0, kHalfK, 8, 0>(place.lane, b, place.column + 8 * j, k, pair);
        columns[j][0] = pair[0];
        columns[j][1] = pair[1];
        columns[j + 1][0] = pair[2];
        columns[j + 1][1] = pair[3];
      }
#pragma unroll
      for (int i = 0; i < kTilesM; ++i) {
#pragma unroll
        for (int j = 0; j < kTilesN; ++j) multiply_fragments(sums_[i][j], rows[i], columns[j], a);
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
        blocks[j] = tile[Layout::offset(outer + (j & 1) * kOuter1 + (j >> 1) * kOuter2 + lane / 4,
                                        k + (j & 1) * kK1 + (j >> 1) * kK2 + lane % 4)];
      }
    }
  }

  float sums_[kTilesM][kTilesN][4] = {};
};

}  // namespace gradflip
