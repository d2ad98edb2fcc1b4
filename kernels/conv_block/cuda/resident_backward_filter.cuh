// What a block of conv_block_backward_filter_resident.cu computes, and how x, dpooled and winners
// of its images get into its shared memory.
//
// Taps    a block's 80 rows are five fragments of 16 neighbouring elements of a row of the filter,
//         S*C of them. Of many channels a fragment is 16 channels of a tap, and a block has one row
//         of the filter (or several, of fewer taps) for a block of 16 channels; x of no others is
//         brought. Of few channels a row of the filter is cut into sixteens, whatever taps they are
//         of. Rows that are left over repeat another tap, and their sums are not written.
// Slab    x as it is in memory, as f32, with rows under the block's taps only. A row takes 16 more
//         than a multiple of 32 floats, a pixel of many channels 24. So the four positions of a
//         window by eight neighbouring taps, a fragment's eight rows, meet no bank twice.
#pragma once

#include <cstdint>

#include "kernels/conv_block/cuda/filter_gradient_parts.cuh"
#include "kernels/cuda/divisor.cuh"
#include "kernels/cuda/mma.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip::resident_backward_filter {

inline constexpr int kFragments = 5;
inline constexpr int kRows = 16 * kFragments;
inline constexpr int kWarps = 8;
inline constexpr int kThreads = kWarpLanes * kWarps;
// Two stages where three would leave smaller devices none: first layers in large batches.
template <int BN>
inline constexpr int kStages = BN == 32 ? 2 : 3;
inline constexpr int kChannels = 16;    // of a block, where there are many
inline constexpr int kPixelPitch = 24;  // of these
inline constexpr int kPlaces = 4;       // of a window

// How the taps are dealt out to blocks, and how x lies in a slab; in floats.
struct TapLayout {
  int group_rows;     // of the filter, for a block
  int row_fragments;  // that one of them takes
  int channel_blocks;
  int filter_step;        // from one of its fragments to the next, in the filter
  int slab_step;          // and in the slab
  int last;               // the last element of a row of the filter, in the slab
  int pixel, row;         // distances in the slab
  int left;               // from a row's begin to the image's
  int runs, run, chunks;  // a row of x: runs, the distance between them in the slab, vectors of one
  int slab_rows;

  int slab_floats() const { return slab_rows * row; }
};

// Sizes are what they are in conv_block.h.
struct FilterGradient {
  const float* x;
  const float* dpooled;
  const std::uint8_t* winner;
  Finish finish;
  std::int64_t N, part_images;
  int H, W, C, K, R, pad_h, pad_w;
  int row_elements;  // S*C
  int stage_images;
  int image_floats;  // of a stage: slab, dpooled, winners
  int slab_floats;
  TapLayout taps;
  Divisor tiles, tiles_n, channel_blocks, PQ, windows, chunks, runs;  // windows: of an image
};

// What the block computes.
struct BlockPlace {
  int part, tile;
  std::int64_t first_image, end_image;
  int r, c, k;  // its first row of the filter, channel and filter

  __device__ __forceinline__ explicit BlockPlace(const FilterGradient& args) {
    const Quotient in_part = args.tiles.divide(blockIdx.x);
    const Quotient columns = args.tiles_n.divide(in_part.remainder);
    const Quotient group = args.channel_blocks.divide(columns.quotient);
    part = static_cast<int>(in_part.quotient);
    tile = static_cast<int>(in_part.remainder);
    first_image = part * args.part_images;
    end_image = min(first_image + args.part_images, args.N);
    r = static_cast<int>(group.quotient) * args.taps.group_rows;
    c = static_cast<int>(group.remainder) * kChannels;
    k = static_cast<int>(columns.remainder);  // times BN: the caller's
  }
};

// Starts copying image n of x, its dpooled and its winners.
template <int BN>
__device__ __forceinline__ void copy_image(const FilterGradient& args, const BlockPlace& block,
                                           std::int64_t n, float* to) {
  const TapLayout& taps = args.taps;
  const float* image = args.x + n * args.H * args.W * args.C + block.c;
  for (int i = static_cast<int>(threadIdx.x); i < taps.slab_rows * taps.runs * taps.chunks;
       i += kThreads) {
    const IntQuotient run = args.chunks.divide_int(i);
    const IntQuotient row = args.runs.divide_int(run.quotient);
    const int y = row.quotient;
    const int h = block.r + y - args.pad_h;
    if (static_cast<unsigned>(h) >= static_cast<unsigned>(args.H)) continue;
    const int in_row = row.remainder;
    const int at = run.remainder * 4;
    cp_async<16>(to + y * taps.row + taps.left + in_row * taps.run + at,
                 image + (h * args.W + in_row) * args.C + at);
  }
  // Past the last filter there are zeros.
  constexpr int kQuads = BN / 4;
  float* pooled = to + args.slab_floats;
  const auto windows = static_cast<int>(args.windows.value());
  auto* winners = reinterpret_cast<std::uint8_t*>(pooled + windows * BN);
  for (int i = static_cast<int>(threadIdx.x); i < windows * kQuads; i += kThreads) {
    const int k = block.k + i % kQuads * 4;
    const std::int64_t from = k < args.K ? (n * windows + i / kQuads) * args.K + k : 0;
    cp_async<16>(pooled + 4 * i, args.dpooled + from, k < args.K ? 16 : 0);
    cp_async<4>(winners + 4 * i, args.winner + from, k < args.K ? 4 : 0);
  }
}

// Offset in a part of row `row` of the block, column block.k: negative if there is no such tap. Row
// kRows is dbias.
__device__ __forceinline__ std::int64_t part_offset(const FilterGradient& args,
                                                    const BlockPlace& block, int row) {
  const TapLayout& taps = args.taps;
  const std::int64_t all = std::int64_t{args.R} * args.row_elements;
  if (row == kRows) return block.r == 0 && block.c == 0 ? all * args.K + block.k : -1;
  const int fragment = row / 16;
  const int r = fragment / taps.row_fragments;
  const int element = fragment % taps.row_fragments * taps.filter_step + block.c + row % 16;
  if (r >= taps.group_rows || block.r + r >= args.R || element >= args.row_elements) return -1;
  return (std::int64_t{block.r + r} * args.row_elements + element) * args.K + block.k;
}

}  // namespace gradflip::resident_backward_filter
