// One value per channel, and its gradient: the column sums of dy.
//
//   forward    y[i,c] = x[i,c] + bias[c]
//   backward   dbias[c] (+)= sum over rows of dy[i,c]
//
// Decomposition  forward: one element per thread, grid-stride; a thread follows its channel from
//                step to step by a subtraction, without a division.
//                backward: a block owns `width` neighbouring channels, and each of its 1024 / width
//                lanes sums every (1024 / width)-th row; a tree in shared memory adds the lanes.
// Cost           memory-bound: 8 bytes per element forward, 4 backward. Backward has no scratch, so
//                that only the channels spread over multiprocessors: right for linear layers (batch
//                x 100: 13 blocks of one or a few rows per thread); convolutions take their bias'
//                gradient from conv_block, on the way.
// Numerics       backward: the order of the sum depends on rows and channels, and on whether there
//                are 32 channels for every multiprocessor, so a run repeats bit for bit. Lanes and
//                tree keep the error of millions of rows at that of rows / (1024 / width) + log2
//                additions.
#include <algorithm>

#include "kernels/bias.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

constexpr int kSumBlock = 1024;

// Channels of a block, a power of two. Eight floats are one 32-byte sector, the least that memory
// delivers, and give most blocks; with channels for more than every multiprocessor a block takes
// whole 128-byte lines.
int sum_width(Cuda ctx, std::int64_t channels) {
  constexpr int kSector = 8;
  constexpr int kLine = 32;
  if (channels >= std::int64_t{kLine} * ctx.gpu->multiprocessors) return kLine;
  int width = 1;
  while (width < kSector && width < channels) width *= 2;
  return width;
}

// y may be x: each thread reads its element before it writes it.
__global__ void bias_forward_kernel(std::int64_t size, std::int64_t channels, const float* x,
                                    const float* bias, float* y) {
  const std::int64_t step = global_threads() % channels;
  std::int64_t c = global_thread() % channels;
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    y[i] = x[i] + bias[c];
    c += step;
    if (c >= channels) c -= channels;
  }
}

__global__ void __launch_bounds__(kSumBlock)
    bias_backward_kernel(std::int64_t rows, std::int64_t channels, int width,
                         const float* __restrict__ dy, Write write, float* __restrict__ dbias) {
  GRADFLIP_SHARED(float, partial, [kSumBlock]);
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t c = std::int64_t{blockIdx.x} * width + thread % width;
  const std::int64_t lanes = kSumBlock / width;
  float sum = 0.0F;
  if (c < channels) {
#pragma unroll 4
    for (std::int64_t i = thread / width; i < rows; i += lanes) sum += dy[i * channels + c];
  }
  partial[thread] = sum;
  __syncthreads();
  for (int distance = kSumBlock / 2; distance >= width; distance /= 2) {
    if (thread < distance) partial[thread] += partial[thread + distance];
    __syncthreads();
  }
  if (thread < width && c < channels) {
    dbias[c] = write == Write::kAccumulate ? dbias[c] + partial[thread] : partial[thread];
  }
}

void require_valid(std::int64_t rows, std::int64_t channels) {
  GRADFLIP_REQUIRE(rows >= 0 && channels >= 0,
                   message("bias: ", rows, " rows of ", channels, " channels; both must be >= 0"));
}

}  // namespace

void bias_forward(Cuda ctx, std::int64_t rows, std::int64_t channels, const float* x,
                  const float* bias, float* y) {
  require_valid(rows, channels);
  const std::int64_t size = rows * channels;
  if (size == 0) return;
  launch(bias_forward_kernel, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx, size,
         channels, x, bias, y);
}

void bias_backward(Cuda ctx, std::int64_t rows, std::int64_t channels, const float* dy, Write write,
                   float* dbias) {
  require_valid(rows, channels);
  if (channels == 0) return;
  const int width = sum_width(ctx, channels);
  const dim3 grid(static_cast<unsigned>((channels + width - 1) / width));
  launch(bias_backward_kernel, grid, kSumBlock, 0, ctx, rows, channels, width, dy, write, dbias);
}

}  // namespace gradflip
