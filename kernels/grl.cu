// Gradient reversal, standalone: dx = -lambda * dy, where no linear layer can apply the factor.
//
// Decomposition  one element per thread, grid-stride; neighbouring threads take neighbouring
//                elements, so every warp reads and writes whole 128-byte lines.
// Cost           memory-bound: 8 bytes per element.
// Numerics       one multiplication, as on the CPU: the same bits.
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/grl.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

// dx may be dy: each thread reads its element before it writes it.
__global__ void grl_backward_kernel(std::int64_t size, Scale lambda, const float* dy, float* dx) {
  const float factor = -value_of(lambda);
  for (std::int64_t i = global_thread(); i < size; i += global_threads()) dx[i] = factor * dy[i];
}

}  // namespace

void grl_backward(Cuda ctx, std::int64_t size, Scale lambda, const float* dy, float* dx) {
  GRADFLIP_REQUIRE(size >= 0, message("grl: size is ", size, ", must be >= 0"));
  if (size == 0) return;
  launch(grl_backward_kernel, elementwise_grid(ctx, size), kElementwiseBlock, 0, ctx, size, lambda,
         dy, dx);
}

}  // namespace gradflip
