// Outer products of rows, and the way back.
//
// Decomposition  forward and db: a thread has one j of a row and goes through all i, so that
//                neighbouring threads read and write neighbouring elements of y or dy. da: lanes
//                share a row i of dy out as class_rows.cuh does, and add their sums up.
// Cost           memory-bound: 4 bytes per element of y or dy, which b and a are small beside.
#include "kernels/cuda/class_rows.cuh"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/outer_product.h"

namespace gradflip {
namespace {

constexpr unsigned kOuterThreads = 128;

__global__ void outer_product_forward_kernel(OuterProductShape shape, const float* __restrict__ a,
                                             const float* __restrict__ b, float* __restrict__ y) {
  for (std::int64_t at = global_thread(); at < shape.N * shape.B; at += global_threads()) {
    const std::int64_t n = at / shape.B, j = at % shape.B;
    const float factor = b[at];
    for (std::int64_t i = n * shape.A; i < (n + 1) * shape.A; ++i) {
      y[i * shape.B + j] = a[i] * factor;
    }
  }
}

template <unsigned kLanes>
__global__ void __launch_bounds__(kOuterThreads)
    outer_product_backward_a_kernel(OuterProductShape shape, const float* __restrict__ dy,
                                    const float* __restrict__ b, float* __restrict__ da) {
  constexpr std::int64_t kRows = kOuterThreads / kLanes;
  const std::int64_t i = std::int64_t{blockIdx.x} * kRows + threadIdx.x / kLanes;
  const bool has_row = i < shape.N * shape.A;
  const std::int64_t n = i / shape.A;
  float sum = 0.0F;
  for (std::int64_t j = threadIdx.x % kLanes; has_row && j < shape.B; j += kLanes) {
    sum += dy[i * shape.B + j] * b[n * shape.B + j];
  }
  sum = warp_reduce<kLanes>(sum, Sum{});
  if (has_row && threadIdx.x % kLanes == 0) da[i] = sum;
}

__global__ void outer_product_backward_b_kernel(OuterProductShape shape,
                                                const float* __restrict__ dy,
                                                const float* __restrict__ a,
                                                float* __restrict__ db) {
  for (std::int64_t at = global_thread(); at < shape.N * shape.B; at += global_threads()) {
    const std::int64_t n = at / shape.B, j = at % shape.B;
    float sum = 0.0F;
    for (std::int64_t i = n * shape.A; i < (n + 1) * shape.A; ++i) {
      sum += dy[i * shape.B + j] * a[i];
    }
    db[at] = sum;
  }
}

}  // namespace

void outer_product_forward(Cuda ctx, const OuterProductShape& shape, const float* a, const float* b,
                           float* y) {
  require_valid(shape);
  if (shape.N == 0) return;
  launch(outer_product_forward_kernel, elementwise_grid(ctx, shape.N * shape.B), kElementwiseBlock,
         0, ctx, shape, a, b, y);
}

void outer_product_backward_a(Cuda ctx, const OuterProductShape& shape, const float* dy,
                              const float* b, float* da) {
  require_valid(shape);
  if (shape.N == 0) return;
  with_lanes_per_row(shape.B, [&](auto lanes) {
    constexpr unsigned kLanes = decltype(lanes)::value;
    constexpr std::int64_t kRows = kOuterThreads / kLanes;
    const dim3 grid(static_cast<unsigned>((shape.N * shape.A + kRows - 1) / kRows));
    launch(outer_product_backward_a_kernel<kLanes>, grid, kOuterThreads, 0, ctx, shape, dy, b, da);
  });
}

void outer_product_backward_b(Cuda ctx, const OuterProductShape& shape, const float* dy,
                              const float* a, float* db) {
  require_valid(shape);
  if (shape.N == 0) return;
  launch(outer_product_backward_b_kernel, elementwise_grid(ctx, shape.N * shape.B),
         kElementwiseBlock, 0, ctx, shape, dy, a, db);
}

}  // namespace gradflip
