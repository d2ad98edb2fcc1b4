// Products of a linear layer that one block does for sixteen rows, whose inputs and outputs lie in
// its shared memory: what is left to do of a small network when a tile of rows has its first layer.
//
//   multiply_rows             y[r][o] = sum over k of x[r][k] * weight[o][k]
//   multiply_rows_transposed  y[r][k] = sum over o of x[r][o] * weight[o][k]
//
// Both leave what is done with a sum to store(r, column, sum), called once for each column of all
// sixteen rows; the caller puts barriers around. weight is (out, in), on any address; x is a row
// every kSmallPitch floats.
//
// Decomposition  multiply_rows: groups of 8 or 32 lanes take four outputs of all rows and split k;
//                64 sums a lane, which a butterfly hands out to the lanes while it adds them up.
//                Eight lanes where there are enough outputs for all warps: fewer shuffles.
//                multiply_rows_transposed: a lane takes one column of eight rows, x is a broadcast.
// Cost           a layer of 100 x 100 is 160,000 multiply-adds, 1,250 cycles of a multiprocessor,
//                and about as many reads of shared memory (one a warp for four multiply-adds);
//                40 KB of weights from L2, several reads of each warp under way at once.
// Numerics       f32 in every mode. multiply_rows: a lane's terms in order, then the butterfly;
//                transposed: o in order.
#pragma once

#include <cstdint>

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/tile_shape.cuh"

namespace gradflip {

inline constexpr int kSmallRows = 16;
inline constexpr int kSmallWidth = 256;  // most columns of a row
// Rows that begin four banks apart: lanes of neighbouring rows do not meet.
inline constexpr int kSmallPitch = kSmallWidth + 4;
inline constexpr int kSmallFloats = kSmallRows * kSmallPitch;

// Over each aligned group of kLanes lanes: sums[0 .. 64 / kLanes) become the group's totals of the
// values from lane * 64 / kLanes on.
template <int kLanes>
__device__ __forceinline__ void share_out_sums(float (&sums)[64]) {
  constexpr int kLevels = kLanes == 32 ? 5 : 3;
  static_assert(kLanes == 1 << kLevels);
#pragma unroll
  for (int level = 0; level < kLevels; ++level) {
    const int distance = kLanes / 2 >> level;
    const int half = 32 >> level;
    const bool upper = (static_cast<int>(threadIdx.x) & distance) != 0;
#pragma unroll
    for (int i = 0; i < 32; ++i) {
      if (i >= half) break;
      const float kept = upper ? sums[i + half] : sums[i];
      const float sent = upper ? sums[i] : sums[i + half];
      sums[i] = kept + shuffle_xor(sent, static_cast<unsigned>(distance));
    }
  }
}

template <int kThreads, int kLanes, typename Store>
__device__ __forceinline__ void multiply_rows_by_lanes(const float* x, int in, const float* weight,
                                                       int out, const Store& store) {
  constexpr int kOutputs = 4;                           // of a group of lanes
  constexpr int kOwn = kSmallRows * kOutputs / kLanes;  // sums that a lane ends up with
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  // The same number of rounds for a whole warp, whose lanes meet in shuffles.
  const int warp_first = static_cast<int>(threadIdx.x) / kWarpLanes * (kWarpLanes / kLanes);
  const int in_warp = static_cast<int>(threadIdx.x) % kWarpLanes / kLanes;
  for (int group = warp_first; group * kOutputs < out; group += kThreads / kLanes) {
    const int first = (group + in_warp) * kOutputs;
    float sums[kSmallRows * kOutputs] = {};
#pragma unroll 2
    for (int begin = 0; begin < in; begin += kLanes) {
      const int k = begin + lane;
      const bool exists = k < in;
      float w[kOutputs];
#pragma unroll
      for (int j = 0; j < kOutputs; ++j) {
        w[j] = exists && first + j < out ? weight[(first + j) * in + k] : 0.0F;
      }
#pragma unroll
      for (int r = 0; r < kSmallRows; ++r) {
        const float value = exists ? x[r * kSmallPitch + k] : 0.0F;
#pragma unroll
        for (int j = 0; j < kOutputs; ++j) sums[r * kOutputs + j] += value * w[j];
      }
    }
    share_out_sums<kLanes>(sums);
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      const int at = lane * kOwn + i;
      if (first + at % kOutputs < out) store(at / kOutputs, first + at % kOutputs, sums[i]);
    }
  }
}

template <int kThreads, typename Store>
__device__ __forceinline__ void multiply_rows(const float* x, int in, const float* weight, int out,
                                              const Store& store) {
  constexpr int kManyOutputs = kThreads / kWarpLanes * 8;
  if (out > kManyOutputs) {
    multiply_rows_by_lanes<kThreads, 8>(x, in, weight, out, store);
  } else {
    multiply_rows_by_lanes<kThreads, 32>(x, in, weight, out, store);
  }
}

template <int kThreads, typename Store>
__device__ __forceinline__ void multiply_rows_transposed(const float* x, int out,
                                                         const float* weight, int in,
                                                         const Store& store) {
  constexpr int kRows = 8;
  constexpr int kStep = 4;  // outputs that one read of x brings
  constexpr int kGroups = kSmallRows / kRows;
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const int tasks = (in + kWarpLanes - 1) / kWarpLanes * kGroups;
  for (int task = static_cast<int>(threadIdx.x) / kWarpLanes; task < tasks;
       task += kThreads / kWarpLanes) {
    const int row = task % kGroups * kRows;
    const int k = task / kGroups * kWarpLanes + lane;
    if (k >= in) continue;
    const float* from = x + row * kSmallPitch;
    float sums[kRows] = {};
    int o = 0;
#pragma unroll 2
    for (; o + kStep <= out; o += kStep) {
      float w[kStep];
#pragma unroll
      for (int j = 0; j < kStep; ++j) w[j] = weight[(o + j) * in + k];
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const Floats<4> values = read_floats<4>(from + r * kSmallPitch + o);
#pragma unroll
        for (int j = 0; j < kStep; ++j) sums[r] += values.at[j] * w[j];
      }
    }
    for (; o < out; ++o) {
      const float w = weight[o * in + k];
#pragma unroll
      for (int r = 0; r < kRows; ++r) sums[r] += from[r * kSmallPitch + o] * w;
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) store(row + r, k, sums[r]);
  }
}

}  // namespace gradflip
