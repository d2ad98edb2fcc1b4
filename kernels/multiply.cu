// y = a * b.
//
// Decomposition  four elements per thread (vec4.cuh), grid-stride.
// Cost           memory-bound: 12 bytes per element.
// Numerics       one multiplication per element, as on the CPU: the same bits.
#include "kernels/cuda/simt.h"
#include "kernels/cuda/vec4.cuh"
#include "kernels/multiply.h"

namespace gradflip {
namespace {

__global__ void multiply_kernel(Elements elements, const float* a, const float* b, float* y) {
  map_elements(
      elements, [](float left, float right) { return left * right; }, y, a, b);
}

}  // namespace

void multiply(Cuda ctx, std::int64_t size, const float* a, const float* b, float* y) {
  if (size <= 0) return;
  const Elements elements = elements_of(size, a, b, y);
  launch(multiply_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements, a,
         b, y);
}

}  // namespace gradflip
