// What a block of conv_block_forward_resident.cu computes, and how x and the filter get into its
// shared memory.
#pragma once

#include <cstdint>

#include "kernels/conv_block/cuda/conv_block_pooling.cuh"
#include "kernels/conv_block/cuda/resident_tile.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/pipelined_tile.cuh"
#include "kernels/cuda/simt.h"

namespace gradflip::resident_forward {

inline constexpr int kPlaces = 4;    // of a window
inline constexpr int kWindows = 16;  // of a piece
inline constexpr int kPositions = kWindows * kPlaces;
inline constexpr int kFragments = kPositions / 16;
inline constexpr int kGroups = 4;  // of warps, which share the steps
inline constexpr int kStages = 4;
inline constexpr int kBlocksPerMultiprocessor = 2;

// A block's tile: kPieces times 64 positions by BN filters.
template <Math kMode, int kPieceCount, int kN>
struct Tiling {
  static constexpr Math kMath = kMode;
  static constexpr int kPieces = kPieceCount;
  static constexpr int BN = kN;
  static constexpr int kThreads = kWarpLanes * kGroups * kPieces;
  using FilterTile = PipelinedTile<Along::kOuter, BN>;
  static constexpr int kDepth = FilterTile::kDepth;
  // One step of every group.
  struct Stage {
    float tiles[kGroups][FilterTile::kFloats];
  };

  // Sums in shared memory, by position and filter. Rows as long as a filter's lines suit the stores
  // of pairs; from window to window it is BN more than a multiple of 32, so that threads of
  // neighbouring (window, filter) read neighbouring banks.
  static constexpr int kRow = FilterTile::kPitch;
  static constexpr int kWindow = (kPlaces * kRow - BN + 31) / 32 * 32 + BN;
  static constexpr int kGroupFloats = kPieces * kWindows * kWindow;
  static constexpr int staged(int position, int n) {
    return position / kPlaces * kWindow + position % kPlaces * kRow + n;
  }
};

// Sizes are what they are in conv_block.h.
struct Forward {
  const float* x;
  const float* filter;
  Pooling pooling;
  std::int64_t pieces;  // of all images
  int H, W, C, K, pad_h, pad_w;
  int image_windows, steps, taps;  // taps: R*S*C
  int slab_rows, slab_vectors;
  Divisor tiles_n, image_pieces, PQ, S, steps_of_tap, pixel_vectors, slab_width;
  SlabPitch pitch;
};

// Which windows a warp or a slab has.
struct Piece {
  std::int64_t n;
  int first_window, first_row;  // in its image; the row that the window is in

  // The last piece once more where a block has more than there are.
  __device__ __forceinline__ Piece(const Forward& args, std::int64_t piece) {
    const Quotient in_image = args.image_pieces.divide(min(piece, args.pieces - 1));
    n = in_image.quotient;
    first_window = static_cast<int>(in_image.remainder) * kWindows;
    first_row = args.PQ.divide_int(first_window).quotient;
  }
};

// x under all taps of a piece: pixel (i, j) of the slab is x at (2*first_row - pad_h + i,
// j - pad_w), zero outside of the image.
template <typename Tile>
__device__ __forceinline__ void load_slabs(const Forward& args, std::int64_t first_piece,
                                           uint4* slab) {
  constexpr int kQuads = kVectorChannels<Tile::kMath> / 4;
  const int items =
      args.slab_rows * static_cast<int>(args.slab_width.value() * args.pixel_vectors.value());
#pragma unroll 1
  for (int piece = 0; piece < Tile::kPieces; ++piece, slab += args.slab_vectors) {
    const Piece at(args, first_piece + piece);
    const float* image = args.x + at.n * args.H * args.W * args.C;
#pragma unroll 5
    for (int i = static_cast<int>(threadIdx.x); i < items; i += Tile::kThreads) {
      const IntQuotient pixel = args.pixel_vectors.divide_int(i);
      const IntQuotient row = args.slab_width.divide_int(pixel.quotient);
      const int y = row.quotient;
      const int column = row.remainder;
      const int h = 2 * at.first_row - args.pad_h + y;
      const int w = column - args.pad_w;
      const bool inside = static_cast<unsigned>(h) < static_cast<unsigned>(args.H) &&
                          static_cast<unsigned>(w) < static_cast<unsigned>(args.W);
      const int vector = pixel.remainder;
      const float* from = image + (h * args.W + w) * args.C + vector * kVectorChannels<Tile::kMath>;
      Floats<4> channels[kQuads] = {};
#pragma unroll
      for (int quad = 0; quad < kQuads; ++quad) {
        if (inside) channels[quad] = read_floats<4>(from + 4 * quad);
      }
      slab[y * args.pitch.row + column * args.pitch.pixel + vector] = slab_vector(channels);
    }
  }
}

// A thread's vectors of a stage of the filter: where they come from and where they go is the same
// in every stage, but for the tap, so that the loop divides nothing.
template <typename Tile>
class FilterCopier {
 public:
  __device__ __forceinline__ FilterCopier(const Forward& args, int n_begin) {
#pragma unroll
    for (int j = 0; j < kOwn; ++j) {
      const int i = static_cast<int>(threadIdx.x) + j * Tile::kThreads;
      const int line = i / kLineVectors;
      const int n = i % kLineVectors * 4;
      taps_[j] = i < kVectors ? line : kNone;
      // Past the last filter there are the last ones once more, whose sums are not written.
      from_[j] = line * args.K + min(n_begin + n, args.K - 4);
      to_[j] = line / Tile::kDepth * Tile::FilterTile::kFloats +
               Tile::FilterTile::offset(n, line % Tile::kDepth);
    }
  }

  // Starts copying the steps from `step` on, as many as there are.
  __device__ __forceinline__ void copy(const Forward& args, int step,
                                       typename Tile::Stage& stage) const {
    const int tap = step * Tile::kDepth;
    if (tap >= args.taps) return;
    const float* filter = args.filter + tap * args.K;
#pragma unroll
    for (int j = 0; j < kOwn; ++j) {
      if (taps_[j] < args.taps - tap) cp_async<16>(&stage.tiles[0][0] + to_[j], filter + from_[j]);
    }
  }

 private:
  static constexpr int kLineVectors = Tile::BN / 4;
  static constexpr int kVectors = kGroups * Tile::kDepth * kLineVectors;
  static constexpr int kOwn = (kVectors + Tile::kThreads - 1) / Tile::kThreads;
  static constexpr int kNone = INT32_MAX;  // no tap

  int taps_[kOwn], from_[kOwn], to_[kOwn];  // of the stage's first tap
};

}  // namespace gradflip::resident_forward
