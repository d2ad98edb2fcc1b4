// What a block of sampled_conv_block_resident.cu computes, how the picture gets into its shared
// memory, and the filter into its warps' registers.
#pragma once

#include <cstdint>

#include "kernels/conv_block/cuda/conv_block_pooling.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/mma.h"
#include "kernels/cuda/pipelined_tile.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_mma.cuh"
#include "kernels/sampled_conv_block/sampled_head.cuh"

namespace gradflip::resident_sampled {

inline constexpr int kDepth = 16;  // taps of a step: neighbours in a row of the filter
inline constexpr int kSteps = 5;   // at most
inline constexpr int kFilters = 32;
inline constexpr int kColumns = kFilters / 8;
inline constexpr int kWindows = 4;  // of a fragment's 16 rows
inline constexpr int kWarps = 4;
inline constexpr int kThreads = kWarpLanes * kWarps;
inline constexpr int kBlocksPerMultiprocessor = 3;

// Sizes are what they are in conv_block.h.
struct Forward {
  const float* filter;
  Pooling pooling;  // windows: of an image
  int H, W, C, K, pad_h, pad_w;
  int row_elements;       // S*C
  int row_steps, steps;   // of a row of the filter; of all
  int fragments, pieces;  // of an image; parts of it that blocks share
  int slab_rows;          // at most
  Divisor blocks_of_row, tiles_n, PQ, channels, slab_pitch;
};

// What the block computes: some fragments of a picture by 32 filters. The first block of filters
// also writes x, as many rows of it as its piece is of the picture.
struct BlockPlace {
  std::int64_t row;
  int first_fragment, end_fragment;
  int first_row;       // of the slab, in the padded picture
  int first_x, end_x;  // rows of x
  int k;
  bool is_first;  // of the picture's blocks

  __device__ __forceinline__ explicit BlockPlace(const Forward& args) {
    const Quotient in_row = args.blocks_of_row.divide(blockIdx.x);
    const Quotient columns = args.tiles_n.divide(in_row.remainder);
    const auto piece = static_cast<int>(columns.quotient);
    row = in_row.quotient;
    first_fragment = args.fragments * piece / args.pieces;
    end_fragment = args.fragments * (piece + 1) / args.pieces;
    first_row = 2 * args.PQ.divide_int(first_fragment * kWindows).quotient;
    k = static_cast<int>(columns.remainder) * kFilters;
    is_first = in_row.remainder == 0;
    first_x = k == 0 ? args.H * piece / args.pieces : 0;
    end_x = k == 0 ? args.H * (piece + 1) / args.pieces : 0;
  }
};

// Normalises the picture's rows that the block needs into the slab, and those that it has to write
// into x. Row i of the slab is row first_row + i of the padded picture; padding is zero.
template <Math kMath>
__device__ __forceinline__ void load_picture(const Forward& args, const Head& head,
                                             const BlockPlace& block, float* slab) {
  const SampledPicture picture = sampled_block().pictures[0];
  float* x = head.x == nullptr ? nullptr : head.x + block.row * head.pixels * head.channels;
  const int end_x = x == nullptr ? block.first_x : block.end_x;
  const bool has_x = block.first_x < end_x;
  const int begin = min(block.first_row, has_x ? block.first_x + args.pad_h : block.first_row);
  const int slab_end = block.first_row + args.slab_rows;
  const int end = max(slab_end, has_x ? end_x + args.pad_h : slab_end);
  const auto pitch = static_cast<int>(args.slab_pitch.value());
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < (end - begin) * pitch; i += kThreads) {
    const IntQuotient at = args.slab_pitch.divide_int(i);
    const int y = begin + at.quotient;  // in the padded picture
    const int h = y - args.pad_h;
    const int in_row = at.remainder - args.pad_w * args.C;
    float value = 0.0F;
    if (h >= 0 && h < args.H && in_row >= 0 && in_row < args.W * args.C) {
      const int element = h * args.W * args.C + in_row;
      const IntQuotient pixel = args.channels.divide_int(element);
      const float byte = picture.bytes[picture.replicated ? pixel.quotient : element];
      value = (byte - head.mean[pixel.remainder]) * head.scale[pixel.remainder];
      if (h >= block.first_x && h < end_x) x[element] = value;
    }
    if (y < block.first_row || y >= slab_end) continue;
    slab[i + (begin - block.first_row) * pitch] =
        kMath == Math::kTf32 ? __uint_as_float(to_tf32(value)) : value;
  }
}

// The filter in a warp's registers, as fragments: of a step lane t = lane % 4 has taps t, t + 4,
// t + 8, t + 12, in A and B alike. Column n of fragment j is filter 16 (j / 2) + 2n + j % 2, so
// that a lane has four neighbours of what it stores in the end.
template <Math kMath>
class FilterFragments {
 public:
  __device__ __forceinline__ FilterFragments(const Forward& args, int k) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const int r = step / args.row_steps;
      const int element = step % args.row_steps * kDepth + lane % 4;
#pragma unroll
      for (int pair = 0; pair < kColumns / 2; ++pair) {
        const int column = k + 16 * pair + lane / 4 * 2;
        float2 taps[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const bool inside =
              step < args.steps && element + 4 * i < args.row_elements && column < args.K;
          const int tap = r * args.row_elements + element + 4 * i;
          taps[i] = inside ? *reinterpret_cast<const float2*>(args.filter + tap * args.K + column)
                           : make_float2(0.0F, 0.0F);
        }
        set(step, 2 * pair, taps[0].x, taps[1].x, taps[2].x, taps[3].x);
        set(step, 2 * pair + 1, taps[0].y, taps[1].y, taps[2].y, taps[3].y);
      }
    }
  }

  // += A B of one step; rows of A begin at first and second.
  __device__ __forceinline__ void multiply(int step, const float* first, const float* second,
                                           float (&sums)[kColumns][4]) const {
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      Fragment<kMath, 4> rows;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float* from = half == 0 ? first : second;
        if constexpr (kMath == Math::kTf32) {  // rounded already
          rows.bits[half] = __float_as_uint(from[8 * part]);
          rows.bits[half + 2] = __float_as_uint(from[8 * part + 4]);
        } else {
          rows.bits[half] = pack_bf16(from[0], from[4]);
          rows.bits[half + 2] = pack_bf16(from[8], from[12]);
        }
      }
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        multiply_fragments<kMath>(sums[j], rows, columns_[step][part][j]);
      }
    }
  }

 private:
  static constexpr int kParts = kDepth / kMmaDepth<kMath>;

  __device__ __forceinline__ void set(int step, int j, float a, float b, float c, float d) {
    if constexpr (kMath == Math::kTf32) {
      columns_[step][0][j] = {{to_tf32(a), to_tf32(b)}};
      columns_[step][1][j] = {{to_tf32(c), to_tf32(d)}};
    } else {
      columns_[step][0][j] = {{pack_bf16(a, b), pack_bf16(c, d)}};
    }
  }

  Fragment<kMath, 2> columns_[kSteps][kParts][kColumns];
};

}  // namespace gradflip::resident_sampled
