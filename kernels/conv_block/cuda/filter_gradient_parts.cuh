// What the kernels of a filter's gradient have in common: a sum over all positions is split into
// parts, (R*S*C + 1, K) floats each, dfilter and then dbias; the last block of a tile adds its
// parts (finish_parts.cuh), or without tickets a second kernel does (tile_partials.cuh).
#pragma once

#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/cuda/finish_parts.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/step_state.cuh"
#include "kernels/cuda/tile_partials.cuh"
#include "kernels/cuda/tile_shape.cuh"
#include "kernels/write.h"

namespace gradflip {

// A part's share of the workspace.
inline std::int64_t part_floats(const Conv2dShape& conv) {
  return (conv.R * conv.S * conv.C + 1) * conv.K;
}

// What becomes of the parts.
struct Finish {
  float* parts;
  SumTargets targets;
  Write write;
  GradientWatch watch;
  PartGroups groups;  // count 0: the caller adds them

  __device__ __forceinline__ void write_gradient(std::int64_t i, float sum) const {
    float& to = i < targets.first_size ? targets.first[i] : targets.second[i - targets.first_size];
    to = write == Write::kAccumulate ? to + sum : sum;
    watch_gradient(watch, &to, to);
  }
};

// Adds `count` parts of `size` floats, first, first + step, ..., of one tile: vectors of kWidth
// neighbours, vector i of kVectors at offset_of(i), or nowhere if that is negative. Thread by
// thread the same elements, so that a sum may replace a part that it read.
template <int kThreads, int kVectors, int kWidth, typename OffsetOf>
__device__ __forceinline__ void add_parts(const Finish& finish, std::int64_t size, int first,
                                          int step, int count, bool is_final,
                                          const OffsetOf& offset_of) {
  constexpr int kOwn = (kVectors + kThreads - 1) / kThreads;
  std::int64_t at[kOwn];
  Floats<kWidth> sums[kOwn] = {};
#pragma unroll
  for (int j = 0; j < kOwn; ++j) {
    const int i = static_cast<int>(threadIdx.x) + j * kThreads;
    at[j] = i < kVectors ? offset_of(i) : -1;
  }
#pragma unroll 4
  for (int part = 0; part < count; ++part) {
    const float* from = finish.parts + (first + std::int64_t{part} * step) * size;
#pragma unroll
    for (int j = 0; j < kOwn; ++j) {
      if (at[j] < 0) continue;
      const Floats<kWidth> x = read_floats_uncached<kWidth>(from + at[j]);
#pragma unroll
      for (int v = 0; v < kWidth; ++v) sums[j].at[v] += x.at[v];
    }
  }
#pragma unroll
  for (int j = 0; j < kOwn; ++j) {
    if (at[j] < 0) continue;
#pragma unroll
    for (int v = 0; v < kWidth; ++v) {
      if (is_final) {
        finish.write_gradient(at[j] + v, sums[j].at[v]);
      } else {
        finish.parts[first * size + at[j] + v] = sums[j].at[v];
      }
    }
  }
}

}  // namespace gradflip
