// Instance normalisation of pictures.
//
// Decomposition  a block takes up to 32 channels of a picture, a thread one of them at every so
//                manyth pixel: neighbouring threads take neighbouring channels, then pixels, so
//                that a picture of few channels is read as whole lines. Forward goes through it
//                three times, backward twice; all but the first find it in the caches.
// Numerics       instance_norm.h: deviations from a mean that is corrected by theirs.
// Cost           memory-bound: 8 bytes per element forward, 12 backward, where a block's share of
//                the picture stays in the caches.
#include "kernels/cuda/simt.h"
#include "kernels/instance_norm.h"

namespace gradflip {
namespace {

constexpr unsigned kNormThreads = 256;
constexpr std::int64_t kNormChannels = 32;  // of a block

// A thread's share of its block's channels of a picture.
struct OwnPixels {
  std::int64_t first, end, step;  // elements; none where end is not above first
  std::int64_t statistic;         // the channel's element of (N, C)
  unsigned width, lane, lanes;    // channels of the block; this thread among those of its channel

  __device__ __forceinline__ explicit OwnPixels(const InstanceNormShape& shape) {
    const std::int64_t groups = (shape.C + kNormChannels - 1) / kNormChannels;
    const std::int64_t n = blockIdx.x / groups, c0 = blockIdx.x % groups * kNormChannels;
    width = static_cast<unsigned>(min(kNormChannels, shape.C - c0));
    lanes = kNormThreads / width;
    lane = threadIdx.x / width;
    const std::int64_t c = c0 + threadIdx.x % width;
    statistic = n * shape.C + c;
    first = n * shape.pixels * shape.C + lane * shape.C + c;
    end = lane < lanes ? (n + 1) * shape.pixels * shape.C : 0;
    step = lanes * shape.C;
  }
};

// The sum over the lanes of each channel, to all of them. The whole block takes part.
__device__ __forceinline__ float sum_by_channel(const OwnPixels& own, float value) {
  GRADFLIP_SHARED(float, sums, [kNormThreads]);
  __syncthreads();  // the previous sum may still be read
  sums[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = kNormThreads / 2; half > 0; half /= 2) {
    const bool adds = own.lane < half && own.lane + half < own.lanes;
    if (adds) sums[threadIdx.x] += sums[threadIdx.x + half * own.width];
    __syncthreads();
  }
  return sums[threadIdx.x % own.width];
}

__global__ void __launch_bounds__(kNormThreads)
    instance_norm_forward_kernel(InstanceNormShape shape, const float* __restrict__ x,
                                 float* __restrict__ y, float* __restrict__ rstd) {
  const OwnPixels own(shape);
  const float share = 1.0F / static_cast<float>(shape.pixels);
  float sum = 0.0F;
  for (std::int64_t i = own.first; i < own.end; i += own.step) sum += x[i];
  const float mean = sum_by_channel(own, sum) * share;
  float deviations = 0.0F, squares = 0.0F;
  for (std::int64_t i = own.first; i < own.end; i += own.step) {
    const float deviation = x[i] - mean;
    deviations += deviation;
    squares += deviation * deviation;
  }
  const float shift = sum_by_channel(own, deviations) * share;
  const float difference = sum_by_channel(own, squares) * share - shift * shift;
  const float variance = difference < 0.0F ? 0.0F : difference;
  const float scale = 1.0F / sqrtf(variance + shape.eps);
  for (std::int64_t i = own.first; i < own.end; i += own.step) y[i] = (x[i] - mean - shift) * scale;
  if (own.lane == 0) rstd[own.statistic] = scale;
}

__global__ void __launch_bounds__(kNormThreads)
    instance_norm_backward_kernel(InstanceNormShape shape, const float* __restrict__ y,
                                  const float* __restrict__ rstd, const float* __restrict__ dy,
                                  float* __restrict__ dx) {
  const OwnPixels own(shape);
  const float share = 1.0F / static_cast<float>(shape.pixels);
  float arrived = 0.0F, along = 0.0F;
  for (std::int64_t i = own.first; i < own.end; i += own.step) {
    arrived += dy[i];
    along += dy[i] * y[i];
  }
  const float mean = sum_by_channel(own, arrived) * share;
  const float slope = sum_by_channel(own, along) * share;
  const float scale = rstd[own.statistic];
  for (std::int64_t i = own.first; i < own.end; i += own.step) {
    dx[i] = scale * (dy[i] - mean - y[i] * slope);
  }
}

dim3 norm_grid(const InstanceNormShape& shape) {
  return dim3(static_cast<unsigned>(shape.N * ((shape.C + kNormChannels - 1) / kNormChannels)));
}

}  // namespace

void instance_norm_forward(Cuda ctx, const InstanceNormShape& shape, const float* x, float* y,
                           float* rstd) {
  require_valid(shape);
  if (shape.N == 0) return;
  launch(instance_norm_forward_kernel, norm_grid(shape), kNormThreads, 0, ctx, shape, x, y, rstd);
}

void instance_norm_backward(Cuda ctx, const InstanceNormShape& shape, const float* y,
                            const float* rstd, const float* dy, float* dx) {
  require_valid(shape);
  if (shape.N == 0) return;
  launch(instance_norm_backward_kernel, norm_grid(shape), kNormThreads, 0, ctx, shape, y, rstd, dy,
         dx);
}

}  // namespace gradflip
