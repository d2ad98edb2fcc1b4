// An operand that cp.async brings (gemm_pipelined.cu, and the filters of the resident
// convolutions): a tile of kOuterSize (outer index: m of A, n of B; 128 in gemm) by 16 (k) floats
// in shared memory, as they are in global memory. They are rounded when a warp reads its fragments.
//
// Layout  lines of the matrix stay lines of the tile: of 16 floats where neighbours run along k, of
//         kOuterSize where they run along the outer index. No request meets a bank twice:
//           along k      vector v (four floats) of line l is at v ^ (l / 2 % 4). Then the eight
//                        lines that ldmatrix reads at one k cover all banks, and so do the two that
//                        eight lanes write; with lines padded to 20 floats only the first is true.
//           along outer  lines are padded to 8 floats more than a multiple of 16, so that eight
//                        neighbours in each of four lines, a block of a fragment, cover all banks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/mma.h"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

inline bool begins_on(std::size_t bytes, const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}

template <Along kAlong, int kOuterSize = 128>
struct PipelinedTile {
  static constexpr int kOuter = kOuterSize;
  static constexpr int kDepth = 16;  // two steps of the tf32 instruction, one of bf16
  static constexpr int kLine = kAlong == Along::kK ? kDepth : kOuter;
  static constexpr int kLines = kAlong == Along::kK ? kOuter : kDepth;
  static constexpr int kPitch = kAlong == Along::kK ? kLine : (kLine + 7) / 16 * 16 + 8;
  static constexpr int kFloats = kLines * kPitch;

  static constexpr int offset(int outer, int k) {
    if (kAlong == Along::kK) return outer * kPitch + ((k / 4) ^ (outer / 2 % 4)) * 4 + k % 4;
    return k * kPitch + outer;
  }
};

// What one of kThreads threads copies of every step of K: a vector of every kLinesAtOnce-th line.
// The matrix begins on 16 bytes and has lines of a multiple of four floats, so a vector lies within
// a line or beyond its end.
//
// The last tile goes past the end of the outer index: there it gets the last elements once more,
// whose products fall outside of C. Only past the end of K does it take zeros, in both operands,
// and only the last step has to ask.
template <Along kAlong, int kThreads>
class TileCopier {
  using Tile = PipelinedTile<kAlong>;
  static constexpr int kLanes = Tile::kLine / 4;  // to a line
  static constexpr int kLinesAtOnce = kThreads / kLanes;
  static constexpr int kVectors = Tile::kLines / kLinesAtOnce;  // of this thread
  static_assert(kLinesAtOnce % 8 == 0 || kAlong == Along::kOuter, "all its vectors trade alike");
  static constexpr int kBetween = kLinesAtOnce * Tile::kPitch;

 public:
  // outer_begin: of the tile, within outer_size.
  __device__ __forceinline__ TileCopier(const float* matrix, std::int64_t outer_size,
                                        std::int64_t K, std::int64_t outer_begin)
      : matrix_(matrix), step_(kAlong == Along::kK ? Tile::kDepth : Tile::kDepth * outer_size) {
    const int in_line = static_cast<int>(threadIdx.x) % kLanes * 4;
    const int line = static_cast<int>(threadIdx.x) / kLanes;
    k_ = kAlong == Along::kK ? in_line : line;
    to_ = Tile::offset(kAlong == Along::kK ? line : in_line, k_);
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      const int at = line + i * kLinesAtOnce;
      from_[i] = kAlong == Along::kK
                     ? matrix + min(outer_begin + at, outer_size - 1) * K + in_line
                     : matrix + at * outer_size + min(outer_begin + in_line, outer_size - 4);
    }
  }

  // Starts copying the next step, of which K has k_left yet: 0 or less past its end.
  __device__ __forceinline__ void copy(std::int64_t k_left, float* tile) {
    float* to = tile + to_;
    if (k_left >= Tile::kDepth) {
#pragma unroll
      for (int i = 0; i < kVectors; ++i) cp_async<16>(to + i * kBetween, from_[i]);
    } else {
#pragma unroll
      for (int i = 0; i < kVectors; ++i) {
        const bool inside = k_ + (kAlong == Along::kK ? 0 : i * kLinesAtOnce) < k_left;
        cp_async<16>(to + i * kBetween, inside ? from_[i] : matrix_, inside ? 16 : 0);
      }
    }
#pragma unroll
    for (int i = 0; i < kVectors; ++i) from_[i] += step_;
  }

 private:
  const float* matrix_;
  std::int64_t step_;
  int k_, to_;  // of the first vector, within a step and within a tile
  const float* from_[kVectors];
};

// k of one mma instruction.
template <Math kMath>
inline constexpr int kMmaDepth = kMath == Math::kBf16 ? 16 : 8;

// A lane's part of the fragments of a warp.
template <Math kMath, Along kAlong, int kOuterSize = 128>
class FragmentReader {
  using Tile = PipelinedTile<kAlong, kOuterSize>;

 public:
  // The warp's part of the tile begins at `outer`.
  __device__ __forceinline__ FragmentReader(int outer, int lane)
      : first_(kAlong == Along::kK ? Tile::offset(outer + lane % 16, lane / 16 * 4)
                                   : Tile::offset(outer + lane / 4, lane % 4)) {}

  // A's 16 x kMmaDepth fragment at (outer, k) of the warp's part, rounded; registers 0 and 2 are
  // B's for the first eight columns, 1 and 3 for the next eight. outer is a multiple of 16, k of
  // kMmaDepth.
  //
  // In bf16 a lane has the floats k = t, t + 4, t + 8, t + 12 (t = lane % 4), where the instruction
  // wants 2t, 2t + 1, 2t + 8, 2t + 9. It gets those in the place of these: a sum over k does not
  // mind which k is which, if A and B agree, and no element has to change lanes.
  __device__ __forceinline__ void read(const float* tile, int outer, int k,
                                       std::uint32_t (&fragment)[4]) const {
    std::uint32_t low[4];
    read_blocks(tile, outer, k, low);
    if constexpr (kMath == Math::kTf32) {
#pragma unroll
      for (int j = 0; j < 4; ++j) fragment[j] = to_tf32(__uint_as_float(low[j]));
    } else {
      std::uint32_t high[4];
      read_blocks(tile, outer, k + 8, high);
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        fragment[j] = pack_bf16(__uint_as_float(low[j]), __uint_as_float(low[j + 2]));
        fragment[j + 2] = pack_bf16(__uint_as_float(high[j]), __uint_as_float(high[j + 2]));
      }
    }
  }

  // B's fragment for the eight columns from `outer` on, where neighbours run along them.
  __device__ __forceinline__ void read_columns(const float* tile, int outer, int k,
                                               std::uint32_t (&fragment)[2]) const {
    static_assert(kAlong == Along::kOuter);
    const float* from = tile + first_ + outer + k * Tile::kPitch;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if constexpr (kMath == Math::kTf32) {
        fragment[half] = to_tf32(from[4 * half * Tile::kPitch]);
      } else {
        fragment[half] =
            pack_bf16(from[8 * half * Tile::kPitch], from[(8 * half + 4) * Tile::kPitch]);
      }
    }
  }

 private:
  // The four blocks of 8 (outer) x 4 (k) floats from (outer, k) on, k 0 or 8: down, then along k.
  // A lane gets element (lane / 4, lane % 4) of each.
  __device__ __forceinline__ void read_blocks(const float* tile, int outer, int k,
                                              std::uint32_t (&blocks)[4]) const {
    if constexpr (kAlong == Along::kK) {
      // The lane names line lane % 8 of block lane / 8. Vectors trade places by exclusive or, and
      // so they step from k to k.
      ldmatrix_x4(blocks, tile + (first_ ^ k) + outer * Tile::kPitch);
    } else {
      // ldmatrix transposes 16-bit elements only. These are four times the instructions, but as
      // many passes over shared memory.
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int at = outer + j % 2 * 8 + (k + j / 2 * 4) * Tile::kPitch;
        blocks[j] = __float_as_uint(tile[first_ + at]);
      }
    }
  }

  int first_;
};

// The same for B alone, where neighbours run along k: fragments of 16 columns as two pairs of
// registers, 0 and 1 for the first eight columns, 2 and 3 for the next eight. mma.sync takes B in
// two neighbouring registers; those of FragmentReader lie two apart, and each would be moved.
template <Math kMath, int kOuterSize>
class ColumnReader {
  using Tile = PipelinedTile<Along::kK, kOuterSize>;

 public:
  // The warp's part of the tile begins at `outer`. The lane names line lane % 8 of block lane / 8;
  // blocks go along k, then to the next eight columns.
  __device__ __forceinline__ ColumnReader(int outer, int lane)
      : first_(Tile::offset(outer + lane / 16 * 8 + lane % 8, lane / 8 % 2 * 4)) {}

  // outer is a multiple of 16, k of kMmaDepth. In bf16 k is permuted as by FragmentReader.
  __device__ __forceinline__ void read(const float* tile, int outer, int k,
                                       std::uint32_t (&pairs)[4]) const {
    std::uint32_t low[4];
    ldmatrix_x4(low, tile + (first_ ^ k) + outer * Tile::kPitch);
    if constexpr (kMath == Math::kTf32) {
#pragma unroll
      for (int j = 0; j < 4; ++j) pairs[j] = to_tf32(__uint_as_float(low[j]));
    } else {
      std::uint32_t high[4];
      ldmatrix_x4(high, tile + (first_ ^ (k + 8)) + outer * Tile::kPitch);
#pragma unroll
      for (int j = 0; j < 4; j += 2) {
        pairs[j] = pack_bf16(__uint_as_float(low[j]), __uint_as_float(low[j + 1]));
        pairs[j + 1] = pack_bf16(__uint_as_float(high[j]), __uint_as_float(high[j + 1]));
      }
    }
  }

 private:
  int first_;
};

}  // namespace gradflip
