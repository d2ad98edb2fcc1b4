// Rectifier, alone: where conv_block and the linear layers' epilogues do not absorb it.
//
// Decomposition  one element per thread, grid-stride; neighbouring threads take neighbouring
//                elements, so every warp reads and writes whole 128-byte lines.
// Cost           memory-bound: 8 bytes per element forward, 12 backward.
// Numerics       a choice, no arithmetic: the CPU's bits. The comparison is `<= 0`, which a NaN
//                fails, so a NaN passes; fmaxf(x, 0) would turn it into 0.
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/relu.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

// y may be x: each thread reads its element before it writes it.
__global__ void relu_forward_kernel(std::int64_t size, const float* x, float* y) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const float value = x[i];
    y[i] = value <= 0.0F ? 0.0F : value;
  }
}

// dx may be dy, for the same reason.
__global__ void relu_backward_kernel(std::int64_t size, const float* y, const float* dy,
                                     float* dx) {
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) {
    const float arriving = dy[i];
    dx[i] = y[i] <= 0.0F ? 0.0F : arriving;
  }
}

}  // namespace

void relu_forward(Cuda ctx, std::int64_t size, const float* x, float* y) {
  GRADFLIP_REQUIRE(size >= 0, message("relu: size is ", size, ", must be >= 0"));
  if (size == 0) return;
  launch(relu_forward_kernel, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx, size, x, y);
}

void relu_backward(Cuda ctx, std::int64_t size, const float* y, const float* dy, float* dx) {
  GRADFLIP_REQUIRE(size >= 0, message("relu: size is ", size, ", must be >= 0"));
  if (size == 0) return;
  launch(relu_backward_kernel, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx, size, y, dy,
         dx);
}

}  // namespace gradflip
