// The GPU's peaks, for shares: FFMA, mma.sync in tf32 and bf16, and a copy through device memory.
//
// Decomposition  arithmetic: every thread keeps independent accumulators in registers, eight blocks
//                of 256 threads a multiprocessor, nothing is loaded. Copy: 16 bytes a thread and
//                turn, grid-stride.
// Numerics       of no interest, except that factors keep the sums finite.
// Cost           a few milliseconds each; the best of several windows counts.
#include <algorithm>

#include "benchmarks/support/machine.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/mma.h"
#include "kernels/cuda/simt.h"
#include "runtime/memory.h"

namespace gradflip::bench {
namespace {

constexpr int kRounds = 4096;
constexpr int kWindows = 8;
constexpr unsigned kBlock = 256;
constexpr unsigned kBlocksPerProcessor = 8;
constexpr int kSums = 8;       // FFMA has a latency of four cycles
constexpr int kFragments = 4;  // independent tensor-core sums of a warp
constexpr std::int64_t kCopyBytes = std::int64_t{1} << 30U;

__global__ void ffma_kernel(int rounds, float factor, float term, float* result) {
  float sums[kSums];
#pragma unroll
  for (int s = 0; s < kSums; ++s) sums[s] = static_cast<float>(threadIdx.x + s);
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int s = 0; s < kSums; ++s) sums[s] = sums[s] * factor + term;
  }
  float total = 0.0F;
#pragma unroll
  for (int s = 0; s < kSums; ++s) total += sums[s];
  // Never true, which the compiler does not know.
  if (total == -1.0F) result[threadIdx.x] = total;
}

template <Math kMath>
__global__ void mma_kernel(int rounds, float value, float* result) {
  // Not all alike, and no zeros: those draw less power and run faster than real data.
  const auto operand = [value](unsigned i) {
    const float x = value * static_cast<float>(1 + (threadIdx.x * 7 + i) % 13);
    return kMath == Math::kTf32 ? to_tf32(x) : pack_bf16(x, -x);
  };
  const std::uint32_t a[4] = {operand(0), operand(1), operand(2), operand(3)};
  const std::uint32_t b[2] = {operand(4), operand(5)};
  float d[kFragments][4] = {};
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int f = 0; f < kFragments; ++f) {
      if constexpr (kMath == Math::kTf32) {
        mma_m16n8k8_tf32(d[f], a, b);
      } else {
        mma_m16n8k16_bf16(d[f], a, b);
      }
    }
  }
  float total = 0.0F;
#pragma unroll
  for (int f = 0; f < kFragments; ++f) total += d[f][0] + d[f][1] + d[f][2] + d[f][3];
  if (total == -1.0F) result[threadIdx.x] = total;
}

__global__ void copy_kernel(std::int64_t size, const float4* __restrict__ from,
                            float4* __restrict__ to) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) to[i] = from[i];
}

// Seconds of the fastest window of `enqueue`.
template <typename Enqueue>
double fastest(cudaStream_t stream, const Enqueue& enqueue) {
  cudaEvent_t begin = nullptr, end = nullptr;
  GRADFLIP_CUDA_CHECK(cudaEventCreate(&begin));
  GRADFLIP_CUDA_CHECK(cudaEventCreate(&end));
  float best = 1e30F;
  for (int window = 0; window < kWindows; ++window) {
    GRADFLIP_CUDA_CHECK(cudaEventRecord(begin, stream));
    enqueue();
    GRADFLIP_CUDA_CHECK(cudaEventRecord(end, stream));
    GRADFLIP_CUDA_CHECK(cudaEventSynchronize(end));
    float milliseconds = 0.0F;
    GRADFLIP_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
    best = std::min(best, milliseconds);
  }
  GRADFLIP_CUDA_CHECK(cudaEventDestroy(begin));
  GRADFLIP_CUDA_CHECK(cudaEventDestroy(end));
  return best * 1e-3;
}

template <Math kMath>
double mma_flops(Cuda ctx, unsigned blocks, float* scratch) {
  constexpr double kFlopsOfOne = kMath == Math::kTf32 ? 2.0 * 16 * 8 * 8 : 2.0 * 16 * 8 * 16;
  const double warps = static_cast<double>(blocks) * kBlock / 32;
  return warps * kRounds * kFragments * kFlopsOfOne / fastest(ctx.stream, [&] {
           launch(mma_kernel<kMath>, dim3(blocks), dim3(kBlock), 0, ctx, kRounds, 0.01F, scratch);
         });
}

double ffma_flops(Cuda ctx, unsigned blocks, float* scratch) {
  const double threads = static_cast<double>(blocks) * kBlock;
  return threads * kRounds * kSums * 2.0 / fastest(ctx.stream, [&] {
           launch(ffma_kernel, dim3(blocks), dim3(kBlock), 0, ctx, kRounds, 0.999F, 0.001F,
                  scratch);
         });
}

double copy_bytes_per_second(Cuda ctx) {
  const Buffer from(ctx, kCopyBytes), to(ctx, kCopyBytes);
  const std::int64_t size = kCopyBytes / 16;
  return 2.0 * kCopyBytes / fastest(ctx.stream, [&] {
           launch(copy_kernel, elementwise_grid(ctx, size), dim3(kElementwiseBlock), 0, ctx, size,
                  from.as<float4>(), to.as<float4>());
         });
}

}  // namespace

Peaks measure_peaks(Cuda ctx) {
  const int processors = ctx.gpu->multiprocessors;
  int cache = 0;
  GRADFLIP_CUDA_CHECK(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, ctx.gpu->device));
  const unsigned blocks = static_cast<unsigned>(processors) * kBlocksPerProcessor;
  const Buffer scratch(ctx, kBlock * 4);
  Peaks peaks;
  peaks.flops[static_cast<std::size_t>(Math::kF32)] = ffma_flops(ctx, blocks, scratch.as<float>());
  peaks.flops[static_cast<std::size_t>(Math::kTf32)] =
      mma_flops<Math::kTf32>(ctx, blocks, scratch.as<float>());
  peaks.flops[static_cast<std::size_t>(Math::kBf16)] =
      mma_flops<Math::kBf16>(ctx, blocks, scratch.as<float>());
  peaks.flops[static_cast<std::size_t>(Math::kTf32x3)] = peak_flops(peaks, Math::kTf32) / 3.0;
  peaks.copy_bytes = copy_bytes_per_second(ctx);
  peaks.cache_bytes = cache;
  peaks.cores = processors;
  return peaks;
}

}  // namespace gradflip::bench
