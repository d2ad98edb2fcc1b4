// Products of a linear layer that one block does for sixteen rows, whose inputs and outputs lie in
// its shared memory: what is left to do of a small network when a tile of rows has its first layer.
// A layer of 100 x 100 weights is one read of 40 KB from L2 and 160,000 multiply-adds; waiting is
// most of it, so every warp has many reads under way.
//
//   multiply_rows             y[r][o] = sum over k of x[r][k] * weight[o][k]
//   multiply_rows_transposed  y[r][k] = sum over o of x[r][o] * weight[o][k]
//
// Both leave what is done with a sum to store(r, column, sum), called once for each row, those
// that do not exist included, and column; the caller puts barriers around. weight is (out, in),
// any address; rows of x and y lie kSmallPitch apart.
//
// Decomposition  multiply_rows: a warp takes four outputs, its lanes split k, so that weights are
//                read in whole lines; 64 sums a lane, which a butterfly hands out to the lanes
//                while it adds them up: 62 shuffles in place of 320.
//                multiply_rows_transposed: a lane takes a column k for eight rows; x is a
//                broadcast.
// Numerics       f32 in every mode. multiply_rows: a lane's terms in order, then the butterfly;
//                transposed: o in order.
#pragma once

#include <cstdint>

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"

namespace gradflip {

inline constexpr int kSmallRows = 16;
inline constexpr int kSmallWidth = 256;  // most columns of a row
// Rows that begin four banks apart: lanes of neighbouring rows do not meet.
inline constexpr int kSmallPitch = kSmallWidth + 4;
inline constexpr int kSmallFloats = kSmallRows * kSmallPitch;

// sums[0..1] become the warp's totals of the values 2 * lane and 2 * lane + 1.
__device__ __forceinline__ void share_out_sums(float (&sums)[64]) {
  const unsigned lane = threadIdx.x % kWarpSize;
#pragma unroll
  for (int level = 0; level < 5; ++level) {
    const int half = 32 >> level;
    const unsigned distance = 16U >> level;
    const bool upper = (lane & distance) != 0;
#pragma unroll
    for (int i = 0; i < 32; ++i) {
      if (i >= half) break;
      const float kept = upper ? sums[i + half] : sums[i];
      const float sent = upper ? sums[i] : sums[i + half];
      sums[i] = kept + shuffle_xor(sent, distance);
    }
  }
}

template <int kThreads, typename Store>
__device__ __forceinline__ void multiply_rows(const float* x, int in, const float* weight, int out,
                                              const Store& store) {
  constexpr int kOutputs = 4;
  constexpr int kWarps = kThreads / static_cast<int>(kWarpSize);
  const int lane = static_cast<int>(threadIdx.x % kWarpSize);
  const int warp = static_cast<int>(threadIdx.x / kWarpSize);
  for (int first = warp * kOutputs; first < out; first += kWarps * kOutputs) {
    float sums[kSmallRows * kOutputs] = {};
#pragma unroll 4
    for (int k = lane; k < in; k += static_cast<int>(kWarpSize)) {
      float w[kOutputs];
#pragma unroll
      for (int j = 0; j < kOutputs; ++j) {
        w[j] = first + j < out ? weight[std::int64_t{first + j} * in + k] : 0.0F;
      }
#pragma unroll
      for (int r = 0; r < kSmallRows; ++r) {
        const float value = x[r * kSmallPitch + k];
#pragma unroll
        for (int j = 0; j < kOutputs; ++j) sums[r * kOutputs + j] += value * w[j];
      }
    }
    share_out_sums(sums);
    const int output = first + lane % 2 * 2;
    if (output < out) store(lane / 2, output, sums[0]);
    if (output + 1 < out) store(lane / 2, output + 1, sums[1]);
  }
}

template <int kThreads, typename Store>
__device__ __forceinline__ void multiply_rows_transposed(const float* x, int out,
                                                         const float* weight, int in,
                                                         const Store& store) {
  constexpr int kRows = 8;
  constexpr int kColumns = static_cast<int>(kWarpSize);
  constexpr int kWarps = kThreads / kColumns;
  constexpr int kGroups = kSmallRows / kRows;
  const int lane = static_cast<int>(threadIdx.x % kWarpSize);
  const int warp = static_cast<int>(threadIdx.x / kWarpSize);
  const int tasks = (in + kColumns - 1) / kColumns * kGroups;
  for (int task = warp; task < tasks; task += kWarps) {
    const int row = task % kGroups * kRows;
    const int k = task / kGroups * kColumns + lane;
    if (k >= in) continue;
    float sums[kRows] = {};
#pragma unroll 8
    for (int o = 0; o < out; ++o) {
      const float w = weight[std::int64_t{o} * in + k];
#pragma unroll
      for (int r = 0; r < kRows; ++r) sums[r] += x[(row + r) * kSmallPitch + o] * w;
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) store(row + r, k, sums[r]);
  }
}

}  // namespace gradflip
