// A sum in two launches: the second is one block, which adds what the first left.
//
// Decomposition  a block of the first launch adds runs of 2048 neighbours, its own and then every
//                so-manyth; a thread has eight loads under way. So many blocks that the largest
//                GPUs are full, whatever the GPU: the order must not depend on it.
// Cost           memory-bound: 4 bytes per element. One conversion and one multiply-add in double
//                an element: where doubles have a 64th of the rate of floats, as on sm_89, that
//                takes about as long as the memory.
// Numerics       double throughout: as the CPU's up to the order of the sum, which f32 does not
//                show but by a rounding.
#include <algorithm>

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/update_kinds.cuh"
#include "kernels/gradient_norm.h"

namespace gradflip {
namespace {

constexpr unsigned kThreads = 256;
constexpr unsigned kPerThread = 8;
constexpr std::int64_t kRun = kThreads * kPerThread;
constexpr std::int64_t kMostParts = 1024;  // eight blocks on each of 128 multiprocessors

std::int64_t parts_of(std::int64_t size) { return std::min((size + kRun - 1) / kRun, kMostParts); }

__global__ void add_squares_kernel(std::int64_t size, const UpdateKind* kinds,
                                   const float* __restrict__ gradient, double* parts) {
  double sum = 0.0;
  for (std::int64_t begin = blockIdx.x * kRun; begin < size; begin += gridDim.x * kRun) {
#pragma unroll
    for (unsigned k = 0; k < kPerThread; ++k) {
      const std::int64_t i = begin + k * kThreads + threadIdx.x;
      if (i >= size || kind_at<float>(kinds, i) == UpdateKind::kNone) continue;
      const auto g = static_cast<double>(gradient[i]);
      sum = fma(g, g, sum);
    }
  }
  sum = block_reduce<kThreads>(sum, Sum{});
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// One block.
__global__ void write_norm_kernel(int parts, const double* __restrict__ part, GradientNorm norm) {
  double sum = 0.0;
  for (int i = static_cast<int>(threadIdx.x); i < parts; i += kThreads) sum += part[i];
  sum = block_reduce<kThreads>(sum, Sum{});
  if (threadIdx.x != 0) return;
  const double root = sqrt(sum);
  *norm.norm = static_cast<float>(root);
  *norm.factor = clip_factor(root, norm.max_norm);
}

}  // namespace

std::int64_t gradient_norm_scratch_bytes(Cuda /*ctx*/, std::int64_t size) {
  return parts_of(size) * static_cast<std::int64_t>(sizeof(double));
}

void gradient_norm(Cuda ctx, const GradientNorm& norm) {
  require_valid(norm);
  const std::int64_t parts = parts_of(norm.size);
  auto* part = static_cast<double*>(norm.scratch);
  if (parts > 0) {
    launch(add_squares_kernel, static_cast<unsigned>(parts), kThreads, 0, ctx, norm.size,
           norm.kinds, norm.gradient, part);
  }
  launch(write_norm_kernel, 1, kThreads, 0, ctx, static_cast<int>(parts), part, norm);
}

}  // namespace gradflip
