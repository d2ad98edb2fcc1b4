// What a block of conv_block_backward_data_resident.cu computes, and how dy and the filter get into
// its shared memory.
#pragma once

#include <cstdint>

#include "kernels/conv_block/cuda/conv_block_gradient.cuh"
#include "kernels/conv_block/cuda/resident_tile.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/pipelined_tile.cuh"
#include "kernels/cuda/simt.h"

namespace gradflip::resident_backward_data {

inline constexpr int kFragmentSide = 4;  // the 16 rows of a fragment are 4 x 4 pixels
// Of a warp, side by side; warps of a group one below the other.
inline constexpr int kFragments = 3;
inline constexpr int kSide = kFragments * kFragmentSide;  // of the block's square of pixels
inline constexpr int kPixels = kSide * kSide;
inline constexpr int kChannels = 32;
// A scheduler of the multiprocessor each, so that rows share it evenly.
inline constexpr int kGroups = 4;
inline constexpr int kThreads = kWarpLanes * kFragments * kGroups;
inline constexpr int kStages = 4;
inline constexpr int kBlocksPerMultiprocessor = 2;

using FilterTile = PipelinedTile<Along::kK, kChannels>;
inline constexpr int kDepth = FilterTile::kDepth;

// One step of every group.
struct Stage {
  float tiles[kGroups][FilterTile::kFloats];
};
inline constexpr int kStagedPitch = kChannels + 8;  // conflict-free stores of pairs
inline constexpr std::int64_t kStagedBytes =
    std::int64_t{kGroups} * kPixels * kStagedPitch * static_cast<std::int64_t>(sizeof(float));

// Sizes are what they are in conv2d.h.
struct Gradient {
  const float* dpooled;
  const std::uint8_t* winner;
  const float* filter;
  float* dx;
  int H, W, C, K, PP, PQ, R, S, pad_h, pad_w;
  Divisor tiles_h, tiles_w, tiles_c;  // squares of pixels, blocks of channels
  Divisor taps_w, steps_of_tap;       // S; K / kDepth
  Divisor vectors, cells_w;           // of a pixel of dy; windows across the slab
  int cells;                          // windows that the slab touches
  int steps;
  SlabPitch pitch;
};

// What the block computes.
struct BlockPlace {
  std::int64_t n;
  int h, w, c;

  __device__ __forceinline__ explicit BlockPlace(const Gradient& args) {
    const Quotient channels = args.tiles_c.divide(blockIdx.x);
    const Quotient column = args.tiles_w.divide(channels.quotient);
    const Quotient row = args.tiles_h.divide(column.quotient);
    n = row.quotient;
    h = static_cast<int>(row.remainder) * kSide;
    w = static_cast<int>(column.remainder) * kSide;
    c = static_cast<int>(channels.remainder) * kChannels;
  }
};

// A thread's vector of a line of the filter, in every kTilesAtOnce-th tile.
class FilterCopier {
 public:
  __device__ __forceinline__ FilterCopier(const Gradient& args, const BlockPlace& block)
      : tile_(static_cast<int>(threadIdx.x) / kTileThreads) {
    const int thread = static_cast<int>(threadIdx.x) % kTileThreads;
    const int line = thread / kLineVectors;
    const int k = thread % kLineVectors * 4;
    // The last block gets the last channels once more, whose sums are not written.
    from_ = min(block.c + line, args.C - 1) * args.K + k;
    to_ = FilterTile::offset(line, k);
  }

  // Starts copying the steps from `step` on, as many as there are.
  __device__ __forceinline__ void copy(const Gradient& args, int step, Stage& stage) const {
#pragma unroll
    for (int tile = 0; tile < kGroups; tile += kTilesAtOnce) {
      if (tile_ + tile >= kGroups || step + tile_ + tile >= args.steps) break;
      const IntQuotient tap = args.steps_of_tap.divide_int(step + tile_ + tile);
      cp_async<16>(stage.tiles[tile_ + tile] + to_,
                   args.filter + (from_ + tap.quotient * args.C * args.K + tap.remainder * kDepth));
    }
  }

 private:
  static constexpr int kLineVectors = kDepth / 4;
  static constexpr int kTileThreads = kChannels * kLineVectors;
  static constexpr int kTilesAtOnce = kThreads / kTileThreads;

  int tile_, to_;
  int from_;  // of the tap (0, 0)
};

// dy under all taps of the block's pixels: pixel (i, j) of the slab is dy at
// (block.h + pad_h - (R-1) + i, block.w + pad_w - (S-1) + j), zero where there is no window.
template <Math kMath>
__device__ __forceinline__ void unpool(const Gradient& args, const BlockPlace& block, uint4* slab) {
  constexpr int kQuads = kVectorChannels<kMath> / 4;
  const int first_p = block.h + args.pad_h - (args.R - 1);
  const int first_q = block.w + args.pad_w - (args.S - 1);
  const int rows = kSide + args.R - 1;
  const int columns = kSide + args.S - 1;
  const int items = args.cells * static_cast<int>(args.vectors.value());
#pragma unroll 2
  for (int i = static_cast<int>(threadIdx.x); i < items; i += kThreads) {
    const IntQuotient cell = args.vectors.divide_int(i);
    const IntQuotient row = args.cells_w.divide_int(cell.quotient);
    // Windows of negative numbers, too: beyond the convolution's edge.
    const int pp = (first_p >> 1) + row.quotient;
    const int pq = (first_q >> 1) + row.remainder;
    const bool inside = pp >= 0 && pp < args.PP && pq >= 0 && pq < args.PQ;
    const std::int64_t window = (block.n * args.PP + pp) * args.PQ + pq;
    PooledGradient<4> pooled[kQuads];
#pragma unroll
    for (int quad = 0; quad < kQuads; ++quad) {
      const std::int64_t k = cell.remainder * kVectorChannels<kMath> + 4 * quad;
      pooled[quad] =
          inside ? PooledGradient<4>::read(args.dpooled, args.winner, window * args.K + k, 0)
                 : PooledGradient<4>::none();
    }
#pragma unroll
    for (int place = 0; place < 4; ++place) {
      const int y = 2 * pp + place / 2 - first_p;
      const int x = 2 * pq + place % 2 - first_q;
      if (y < 0 || y >= rows || x < 0 || x >= columns) continue;
      Floats<4> dy[kQuads];
#pragma unroll
      for (int quad = 0; quad < kQuads; ++quad) {
        pooled[quad].place = place;
        dy[quad] = pooled[quad].unpooled();
      }
      slab[y * args.pitch.row + x * args.pitch.pixel + cell.remainder] = slab_vector(dy);
    }
  }
}

}  // namespace gradflip::resident_backward_data
