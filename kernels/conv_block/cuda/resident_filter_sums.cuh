// The sums of conv_block_backward_filter_resident.cu: a warp's in registers, and those of a block's
// warps in shared memory.
#pragma once

#include <cstdint>

#include "kernels/conv_block/cuda/resident_backward_filter.cuh"
#include "kernels/cuda/mma.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_mma.cuh"

namespace gradflip::resident_backward_filter {

// Sums in shared memory, by row and filter, in vectors of four filters; those of odd rows are
// turned by one. So eight lanes that store every other vector of two rows, or neighbours, meet no
// bank twice, and neither do those that read one vector after the other.
template <int BN>
struct StagedRows {
  static constexpr int kQuads = BN / 4;
  static constexpr int kVectors = (kRows + 1) * kQuads;
  static constexpr int kFloats = kVectors * 4;

  static constexpr int vector(int row, int quad) {
    return row * kQuads + (quad + row % 2) % kQuads;
  }
  static constexpr int row(int vector) { return vector / kQuads; }
  static constexpr int quad(int vector) {
    return (vector % kQuads + kQuads - row(vector) % 2) % kQuads;
  }
};

// A warp's 80 taps by BN filters, over every kWarps-th step. A step is two windows in tf32, four in
// bf16; a lane of a fragment has place lane % 4 of each, in A and B alike, which is an order of
// positions like any other. Column n of eight is filter 4n + j of fragment j = 0 .. 3, 32 + 2n + j
// - 4 of j = 4, 5: what a lane takes of a window is two vectors.
template <Math kMath, int BN>
class WarpSums {
 public:
  __device__ __forceinline__ WarpSums(const FilterGradient& args, const BlockPlace& block) {
    const TapLayout& taps = args.taps;
#pragma unroll
    for (int i = 0; i < kFragments; ++i) {
      const int r = min(min(i / taps.row_fragments, taps.group_rows - 1), args.R - 1 - block.r);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int element = i % taps.row_fragments * taps.slab_step + 8 * half + lane() / 4;
        taps_[i][half] = r * taps.row + min(element, taps.last);
      }
    }
  }

  // += patches^T dy of a stage of `count` windows.
  __device__ __forceinline__ void multiply(const FilterGradient& args, int count,
                                           const float* stage) {
    for (int first = warp() * kWindows; first < count; first += kWarps * kWindows) {
      const float* patches[kWindows];
      float dy[kWindows][kColumns];
#pragma unroll
      for (int v = 0; v < kWindows; ++v) {
        // Past the last window there is that one once more, and no gradient.
        const IntQuotient window = args.windows.divide_int(min(first + v, count - 1));
        const float* image = stage + window.quotient * args.image_floats;
        patches[v] = image + position(args, window.remainder);
        unpool(args, image, window.remainder, first + v < count, dy[v]);
      }
      Fragment<kMath, 2> columns[kColumns];
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
#pragma unroll
        for (int v = 0; v < kWindows; ++v) bias_[j] += dy[v][j];
        if constexpr (kMath == Math::kTf32) {
          columns[j] = {{to_tf32(dy[0][j]), to_tf32(dy[1][j])}};
        } else {
          columns[j] = {{pack_bf16(dy[0][j], dy[1][j]), pack_bf16(dy[2][j], dy[3][j])}};
        }
      }
#pragma unroll
      for (int i = 0; i < kFragments; ++i) {
        Fragment<kMath, 4> rows;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int tap = taps_[i][half];
          if constexpr (kMath == Math::kTf32) {
            rows.bits[half] = to_tf32(patches[0][tap]);
            rows.bits[half + 2] = to_tf32(patches[1][tap]);
          } else {
            rows.bits[half] = pack_bf16(patches[0][tap], patches[1][tap]);
            rows.bits[half + 2] = pack_bf16(patches[2][tap], patches[3][tap]);
          }
        }
#pragma unroll
        for (int j = 0; j < kColumns; ++j) multiply_fragments<kMath>(sums_[i][j], rows, columns[j]);
      }
    }
  }

  // Into the vectors of StagedRows.
  __device__ __forceinline__ void store(float4* staged) {
    const int t = lane() % 4;
#pragma unroll
    for (int i = 0; i < kFragments; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = 16 * i + 8 * half + lane() / 4;
        const auto& d = sums_[i];
        const int first = 2 * half;
        if constexpr (kColumns >= 4) {
#pragma unroll
          for (int next = 0; next < 2; ++next) {
            staged[Staged::vector(row, 2 * t + next)] = make_float4(
                d[0][first + next], d[1][first + next], d[2][first + next], d[3][first + next]);
          }
        }
        if constexpr (kHasPair) {
          staged[Staged::vector(row, kPair / 4 + t)] =
              make_float4(d[kColumns - 2][first], d[kColumns - 1][first],
                          d[kColumns - 2][first + 1], d[kColumns - 1][first + 1]);
        }
      }
    }
    auto* bias = reinterpret_cast<float*>(staged + Staged::vector(kRows, 0));
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {  // over the four places
      bias_[j] += __shfl_xor_sync(~0U, bias_[j], 1);
      bias_[j] += __shfl_xor_sync(~0U, bias_[j], 2);
      const bool of_pair = kHasPair && j >= kColumns - 2;
      const int k = of_pair ? kPair + lane() / 4 * 2 + j % 2 : lane() / 4 * 4 + j;
      if (t == 0) bias[k] = bias_[j];
    }
  }

 private:
  static constexpr int kWindows = kMath == Math::kTf32 ? 2 : 4;  // of a step
  static constexpr int kColumns = BN / 8;
  static constexpr bool kHasPair = kColumns % 4 == 2;
  static constexpr int kPair = kColumns / 4 * 32;  // the first filter of its columns
  using Staged = StagedRows<BN>;
  static_assert(kColumns == 2 || kColumns == 4 || kColumns == 6);

  __device__ __forceinline__ static int lane() {
    return static_cast<int>(threadIdx.x) % kWarpLanes;
  }
  __device__ __forceinline__ static int warp() {
    return static_cast<int>(threadIdx.x) / kWarpLanes;
  }
  // Where this lane's position of a window is in the slab, at the tap (0, 0).
  __device__ __forceinline__ static int position(const FilterGradient& args, int window) {
    const IntQuotient row = args.PQ.divide_int(window);
    const int p = 2 * row.quotient + lane() % 4 / 2;
    const int q = 2 * row.remainder + lane() % 2 - args.pad_w;
    return p * args.taps.row + args.taps.left + q * args.taps.pixel;
  }

  // dy of this lane's position, for its filters.
  __device__ __forceinline__ static void unpool(const FilterGradient& args, const float* image,
                                                int window, bool is_window, float (&dy)[kColumns]) {
    const int place = is_window ? lane() % 4 : kPlaces;
    const float* pooled = image + args.slab_floats;
    const auto* winners =
        reinterpret_cast<const std::uint8_t*>(pooled + static_cast<int>(args.windows.value()) * BN);
    pooled += window * BN;
    winners += window * BN;
    if constexpr (kColumns >= 4) {
      const int k = lane() / 4 * 4;
      const float4 four = *reinterpret_cast<const float4*>(pooled + k);
      const uchar4 bytes = *reinterpret_cast<const uchar4*>(winners + k);
      dy[0] = bytes.x == place ? four.x : 0.0F;
      dy[1] = bytes.y == place ? four.y : 0.0F;
      dy[2] = bytes.z == place ? four.z : 0.0F;
      dy[3] = bytes.w == place ? four.w : 0.0F;
    }
    if constexpr (kHasPair) {
      const int k = kPair + lane() / 4 * 2;
      const float2 two = *reinterpret_cast<const float2*>(pooled + k);
      const uchar2 bytes = *reinterpret_cast<const uchar2*>(winners + k);
      dy[kColumns - 2] = bytes.x == place ? two.x : 0.0F;
      dy[kColumns - 1] = bytes.y == place ? two.y : 0.0F;
    }
  }

  int taps_[kFragments][2];  // this lane's rows of each fragment, in the slab
  float sums_[kFragments][kColumns][4] = {};
  float bias_[kColumns] = {};
};

// Warps whose sums are in shared memory at the same time.
inline constexpr int kStagedWarps = kWarps / 2;

// Adds the sums of all warps, in order: vectors threadIdx.x, threadIdx.x + kThreads, ... of
// StagedRows. The whole block.
template <Math kMath, int BN, int kOwn>
__device__ __forceinline__ void add_warps(WarpSums<kMath, BN>& sums, float4* staged,
                                          float4 (&totals)[kOwn]) {
  using Staged = StagedRows<BN>;
  const int warp = static_cast<int>(threadIdx.x) / kWarpLanes;
#pragma unroll
  for (int first = 0; first < kWarps; first += kStagedWarps) {
    if (warp / kStagedWarps * kStagedWarps == first) {
      sums.store(staged + warp % kStagedWarps * Staged::kVectors);
    }
    __syncthreads();  // a vector is added up from the sums of four warps
#pragma unroll
    for (int j = 0; j < kOwn; ++j) {
      const int i = static_cast<int>(threadIdx.x) + j * kThreads;
      if (i >= Staged::kVectors) continue;
#pragma unroll
      for (int other = 0; other < kStagedWarps; ++other) {
        const float4 x = staged[other * Staged::kVectors + i];
        totals[j] =
            make_float4(totals[j].x + x.x, totals[j].y + x.y, totals[j].z + x.z, totals[j].w + x.w);
      }
    }
    __syncthreads();  // before the next warps' sums, or the parts
  }
}

}  // namespace gradflip::resident_backward_filter
