// The second half of a product whose K is split over blocks: each block wrote its sums to a
// workspace, (parts, size); here they are added, in a fixed order. The first elements go to one
// array, those after them to a second where there is one.
//
// Decomposition  32 neighbouring elements per block, one per lane; kRows warps take every kRows-th
//                part, then one warp adds the kRows sums. Blocks walk over `size`.
// Cost           memory-bound: 4 * (parts + 1) * size bytes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/simt.h"
#include "kernels/cuda/step_state.cuh"
#include "kernels/write.h"

namespace gradflip {

inline constexpr int kPartialLanes = 32;
inline constexpr int kPartialRows = 8;  // enough reads under way to hide their latency

struct SumTargets {
  float* first;
  std::int64_t first_size;
  float* second = nullptr;
  std::int64_t second_size = 0;
};

// c[i] = scale * sum + (accumulate ? c[i] : 0), reported to `watch`
template <int kRows>
__global__ void __launch_bounds__(kPartialLanes* kRows)
    sum_partials_kernel(const float* __restrict__ partials, int parts, SumTargets targets,
                        Scale scale, Write write, GradientWatch watch) {
  GRADFLIP_SHARED(float, sums, [kRows][kPartialLanes]);
  const int lane = static_cast<int>(threadIdx.x) % kPartialLanes;
  const int row = static_cast<int>(threadIdx.x) / kPartialLanes;
  const std::int64_t size = targets.first_size + targets.second_size;
  const std::int64_t step = std::int64_t{gridDim.x} * kPartialLanes;
  for (std::int64_t begin = std::int64_t{blockIdx.x} * kPartialLanes; begin < size; begin += step) {
    const std::int64_t i = begin + lane;
    float sum = 0.0F;
    if (i < size) {
#pragma unroll 4
      for (int part = row; part < parts; part += kRows) sum += partials[part * size + i];
    }
    sums[row][lane] = sum;
    __syncthreads();
    if (row == 0 && i < size) {
#pragma unroll
      for (int other = 1; other < kRows; ++other) sum += sums[other][lane];
      const float result = value_of(scale) * sum;
      float& c = i < targets.first_size ? targets.first[i] : targets.second[i - targets.first_size];
      c = write == Write::kAccumulate ? c + result : result;
      watch_gradient(watch, &c, c);
    }
    __syncthreads();  // before the next round's sums
  }
}

inline void sum_partials(const Cuda& ctx, const float* partials, int parts,
                         const SumTargets& targets, Scale scale, Write write,
                         const GradientWatch& watch = {}) {
  const std::int64_t size = targets.first_size + targets.second_size;
  if (size == 0) return;
  // Several times what is resident; they loop.
  const std::int64_t most_blocks = std::int64_t{16} * ctx.gpu->multiprocessors;
  const std::int64_t blocks = std::min((size + kPartialLanes - 1) / kPartialLanes, most_blocks);
  launch(sum_partials_kernel<kPartialRows>, dim3(static_cast<unsigned>(blocks)),
         dim3(kPartialLanes * kPartialRows), 0, ctx, partials, parts, targets, scale, write, watch);
}

inline void sum_partials(const Cuda& ctx, const float* partials, int parts, std::int64_t size,
                         Scale scale, Write write, float* c) {
  sum_partials(ctx, partials, parts, SumTargets{c, size}, scale, write);
}

}  // namespace gradflip
