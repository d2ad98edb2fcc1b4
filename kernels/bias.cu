// One value per channel: y[i,c] = x[i,c] + bias[c]. Its gradient, the sums of dy over the rows, is
// sum_rows (row_sums.cu).
//
// Decomposition  one element per thread, grid-stride; a thread follows its channel from step to
//                step by a subtraction, without a division.
// Cost           memory-bound: 8 bytes per element.
#include "kernels/bias.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/simt.h"
#include "kernels/require.h"
#include "kernels/row_sums.h"

namespace gradflip {
namespace {

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
  sum_rows(ctx, rows, channels, Scale{}, dy, write, dbias);
}

}  // namespace gradflip
