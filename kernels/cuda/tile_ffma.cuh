// A warp's part of the C tile in f32: 8 x 4 lanes, TM x TN sums each, in registers.
//
// A lane's rows and columns come in groups of four neighbours, the groups 32 rows and 16 columns
// apart: one 16-byte read per group and k, of which a warp asks for 128 neighbouring bytes of A and
// 64 of B. Every element of C is one chain of FMAs over k in order.
#pragma once

#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

template <typename Shape>
class FfmaSums {
 public:
  static constexpr int kStagedPadding = 4;  // conflict-free 16-byte stores of store()

  // += A B of one step, from shared memory.
  template <typename LayoutA, typename LayoutB>
  __device__ __forceinline__ void multiply(const Place<Shape>& place, const float* a,
                                           const float* b) {
    a += place.row + 4 * (place.lane / kLanesN);
    b += place.column + 4 * (place.lane % kLanesN);
#pragma unroll
    for (int k = 0; k < Shape::BK; ++k) {
      float4 rows[TM / 4];
      float4 columns[TN / 4];
#pragma unroll
      for (int i = 0; i < TM / 4; ++i) rows[i] = load_four(a + k * LayoutA::kPitch + i * kRowStep);
#pragma unroll
      for (int j = 0; j < TN / 4; ++j) {
        columns[j] = load_four(b + k * LayoutB::kPitch + j * kColumnStep);
      }
#pragma unroll
      for (int i = 0; i < TM / 4; ++i) {
#pragma unroll
        for (int j = 0; j < TN / 4; ++j) {
          add_multiple(rows[i].x, columns[j], sums_[4 * i][j]);
          add_multiple(rows[i].y, columns[j], sums_[4 * i + 1][j]);
          add_multiple(rows[i].z, columns[j], sums_[4 * i + 2][j]);
          add_multiple(rows[i].w, columns[j], sums_[4 * i + 3][j]);
        }
      }
    }
  }

  // Into rows of `pitch` floats; `tile` begins at the tile's (0, 0).
  __device__ __forceinline__ void store(const Place<Shape>& place, float* tile, int pitch) const {
    tile += (place.row + 4 * (place.lane / kLanesN)) * pitch + place.column +
            4 * (place.lane % kLanesN);
#pragma unroll
    for (int i = 0; i < TM; ++i) {
#pragma unroll
      for (int j = 0; j < TN / 4; ++j) {
        float* to = tile + (i / 4 * kRowStep + i % 4) * pitch + j * kColumnStep;
        *reinterpret_cast<float4*>(to) = sums_[i][j];
      }
    }
  }

 private:
  static constexpr int kLanesM = 8, kLanesN = 4;
  static constexpr int kRowStep = 4 * kLanesM, kColumnStep = 4 * kLanesN;
  static constexpr int TM = Shape::WM / kLanesM, TN = Shape::WN / kLanesN;

  __device__ __forceinline__ static float4 load_four(const float* from) {
    return *reinterpret_cast<const float4*>(from);
  }
  __device__ __forceinline__ static void add_multiple(float factor, const float4& x, float4& sum) {
    sum.x += factor * x.x;
    sum.y += factor * x.y;
    sum.z += factor * x.z;
    sum.w += factor * x.w;
  }

  float4 sums_[TM][TN / 4] = {};
};

}  // namespace gradflip
