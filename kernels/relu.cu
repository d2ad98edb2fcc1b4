// Rectifiers, alone: where conv_block and the linear layers' epilogues do not absorb them.
//
// Decomposition  four elements per thread (vec4.cuh), grid-stride.
// Cost           memory-bound: 8 bytes per element forward, 12 backward.
// Numerics       a choice, or one product: the CPU's bits. The comparison is `<= 0`, which a NaN
//                fails, so a NaN passes; fmaxf(x, 0) would turn it into 0.
#include "kernels/cuda/simt.h"
#include "kernels/cuda/vec4.cuh"
#include "kernels/relu.h"
#include "kernels/require.h"

namespace gradflip {
namespace {

__global__ void relu_forward_kernel(Elements elements, Rectifier rectifier, const float* x,
                                    float* y) {
  map_elements(
      elements, [rectifier](float value) { return rectified(rectifier, value); }, y, x);
}

__global__ void relu_backward_kernel(Elements elements, Rectifier rectifier, const float* y,
                                     const float* dy, float* dx) {
  map_elements(
      elements,
      [rectifier](float out, float arriving) {
        return rectified_gradient(rectifier, out, arriving);
      },
      dx, y, dy);
}

}  // namespace

void relu_forward(Cuda ctx, std::int64_t size, const float* x, float* y,
                  const Rectifier& rectifier) {
  GRADFLIP_REQUIRE(size >= 0, message("relu: size is ", size, ", must be >= 0"));
  require_valid(rectifier);
  if (size == 0) return;
  const Elements elements = elements_of(size, x, y);
  launch(relu_forward_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements,
         rectifier, x, y);
}

void relu_backward(Cuda ctx, std::int64_t size, const float* y, const float* dy, float* dx,
                   const Rectifier& rectifier) {
  GRADFLIP_REQUIRE(size >= 0, message("relu: size is ", size, ", must be >= 0"));
  require_valid(rectifier);
  if (size == 0) return;
  const Elements elements = elements_of(size, y, dy, dx);
  launch(relu_backward_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements,
         rectifier, y, dy, dx);
}

}  // namespace gradflip
