// Sums over rows or features of a matrix, and one value spread over them.
//
//   sum_rows         y[c] (+)= scale * sum over rows of x[i,c]
//   spread_rows      y[i,c] = scale * x[c]
//   sum_features     y[i] = sum over features of x[i,c]
//   spread_features  y[i,c] = x[i]
//
// Decomposition  sum_rows: a block owns `width` neighbouring features, and each of its 1024 / width
//                lanes sums every (1024 / width)-th row; a tree in shared memory adds the lanes.
//                sum_features: neighbouring threads share a row, as many as its features keep at
//                work (a thread for a few of them, a block of 256 for a picture); a butterfly adds
//                theirs.
//                spread: one element per thread, grid-stride; a thread follows its row and feature
//                from step to step without a division.
// Cost           memory-bound: 4 bytes per element of the matrix. sum_rows has no scratch, so that
//                only the features spread over multiprocessors: right for linear layers (batch x
//                100: 13 blocks of one or a few rows per thread); convolutions take their bias'
//                gradient from conv_block, on the way.
// Numerics       sum_rows: the order of the sum depends on rows and features, and on whether there
//                are 32 features for every multiprocessor, so a run repeats bit for bit. Lanes and
//                tree keep the error of millions of rows at that of rows / (1024 / width) + log2
//                additions. sum_features: likewise, of features / threads + log2 additions.
//                spread: at most one multiplication, as on the CPU: the same bits.
#include <type_traits>

#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/require.h"
#include "kernels/row_sums.h"

namespace gradflip {
namespace {

constexpr int kSumBlock = 1024;
constexpr unsigned kFeaturesBlock = 256;

// Features of a block, a power of two. Eight floats are one 32-byte sector, the least that memory
// delivers, and give most blocks; with features for more than every multiprocessor a block takes
// whole 128-byte lines.
int sum_width(const Cuda& ctx, std::int64_t features) {
  constexpr int kSector = 8;
  constexpr int kLine = 32;
  if (features >= std::int64_t{kLine} * ctx.gpu->multiprocessors) return kLine;
  int width = 1;
  while (width < kSector && width < features) width *= 2;
  return width;
}

__global__ void __launch_bounds__(kSumBlock)
    sum_rows_kernel(std::int64_t rows, std::int64_t features, int width, Scale scale,
                    const float* __restrict__ x, Write write, float* __restrict__ y) {
  GRADFLIP_SHARED(float, partial, [kSumBlock]);
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t c = std::int64_t{blockIdx.x} * width + thread % width;
  const std::int64_t lanes = kSumBlock / width;
  float sum = 0.0F;
  if (c < features) {
#pragma unroll 4
    for (std::int64_t i = thread / width; i < rows; i += lanes) sum += x[i * features + c];
  }
  partial[thread] = sum;
  __syncthreads();
  for (int distance = kSumBlock / 2; distance >= width; distance /= 2) {
    if (thread < distance) partial[thread] += partial[thread + distance];
    __syncthreads();
  }
  if (thread < width && c < features) {
    const float result = value_of(scale) * partial[thread];
    y[c] = write == Write::kAccumulate ? y[c] + result : result;
  }
}

__global__ void spread_rows_kernel(std::int64_t size, std::int64_t features, Scale scale,
                                   const float* __restrict__ x, float* __restrict__ y) {
  const float factor = value_of(scale);
  const std::int64_t step = global_threads() % features;
  std::int64_t c = global_thread() % features;
  for (std::int64_t at = global_thread(); at < size; at += global_threads()) {
    y[at] = factor * x[c];
    c += step;
    if (c >= features) c -= features;
  }
}

// start(std::integral_constant<unsigned, kThreads>{}) with the threads that share a row.
template <typename Start>
void with_threads_per_row(std::int64_t features, const Start& start) {
  if (features <= 4) {
    start(std::integral_constant<unsigned, 1>{});
  } else if (features <= 1024) {
    start(std::integral_constant<unsigned, kWarpSize>{});
  } else {
    start(std::integral_constant<unsigned, kFeaturesBlock>{});
  }
}

template <unsigned kThreads>
__global__ void __launch_bounds__(kFeaturesBlock)
    sum_features_kernel(std::int64_t rows, std::int64_t features, const float* __restrict__ x,
                        float* __restrict__ y) {
  constexpr std::int64_t kRows = kFeaturesBlock / kThreads;
  const unsigned thread = threadIdx.x % kThreads;
  const std::int64_t i = std::int64_t{blockIdx.x} * kRows + threadIdx.x / kThreads;
  float sum = 0.0F;
  if (i < rows) {  // threads past the last row stay: the reduction needs them
#pragma unroll 4
    for (std::int64_t c = thread; c < features; c += kThreads) sum += x[i * features + c];
  }
  if constexpr (kThreads <= kWarpSize) {
    sum = warp_reduce<kThreads>(sum, Sum{});
  } else {
    sum = block_reduce<kThreads>(sum, Sum{});
  }
  if (i < rows && thread == 0) y[i] = sum;
}

__global__ void spread_features_kernel(std::int64_t size, std::int64_t features,
                                       const float* __restrict__ x, float* __restrict__ y) {
  const std::int64_t rows_of_step = global_threads() / features;
  const std::int64_t rest_of_step = global_threads() % features;
  std::int64_t i = global_thread() / features;
  std::int64_t c = global_thread() % features;
  for (std::int64_t at = global_thread(); at < size; at += global_threads()) {
    y[at] = x[i];
    i += rows_of_step;
    c += rest_of_step;
    if (c < features) continue;
    c -= features;
    ++i;
  }
}

void require_matrix(std::int64_t rows, std::int64_t features) {
  GRADFLIP_REQUIRE(rows >= 0 && features >= 0, message("row_sums: ", rows, " rows of ", features,
                                                       " features; both must be >= 0"));
}

}  // namespace

void sum_rows(Cuda ctx, std::int64_t rows, std::int64_t features, Scale scale, const float* x,
              Write write, float* y) {
  require_matrix(rows, features);
  if (features == 0) return;
  const int width = sum_width(ctx, features);
  const dim3 grid(static_cast<unsigned>((features + width - 1) / width));
  launch(sum_rows_kernel, grid, kSumBlock, 0, ctx, rows, features, width, scale, x, write, y);
}

void spread_rows(Cuda ctx, std::int64_t rows, std::int64_t features, Scale scale, const float* x,
                 float* y) {
  require_matrix(rows, features);
  const std::int64_t size = rows * features;
  if (size == 0) return;
  launch(spread_rows_kernel, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx, size, features,
         scale, x, y);
}

void sum_features(Cuda ctx, std::int64_t rows, std::int64_t features, const float* x, float* y) {
  require_matrix(rows, features);
  if (rows == 0) return;
  with_threads_per_row(features, [&](auto threads) {
    constexpr unsigned kThreads = decltype(threads)::value;
    constexpr std::int64_t kRows = kFeaturesBlock / kThreads;
    const dim3 grid(static_cast<unsigned>((rows + kRows - 1) / kRows));
    launch(sum_features_kernel<kThreads>, grid, kFeaturesBlock, 0, ctx, rows, features, x, y);
  });
}

void spread_features(Cuda ctx, std::int64_t rows, std::int64_t features, const float* x, float* y) {
  require_matrix(rows, features);
  const std::int64_t size = rows * features;
  if (size == 0) return;
  launch(spread_features_kernel, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx, size,
         features, x, y);
}

}  // namespace gradflip
