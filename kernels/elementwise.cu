// Fill, add, scale.
//
// Decomposition  four elements per thread (vec4.cuh), grid-stride.
// Cost           memory-bound: 4, 12 and 8 bytes per element.
// Numerics       one operation per element, as on the CPU: the same bits.
#include "kernels/cuda/simt.h"
#include "kernels/cuda/vec4.cuh"
#include "kernels/elementwise.h"

namespace gradflip {
namespace {

__global__ void fill_kernel(Elements elements, float value, float* y) {
  map_elements(
      elements, [value] { return value; }, y);
}

__global__ void add_kernel(Elements elements, const float* a, const float* b, float* y) {
  map_elements(
      elements, [](float left, float right) { return left + right; }, y, a, b);
}

__global__ void scale_kernel(Elements elements, Scale scale, const float* x, float* y) {
  const float factor = value_of(scale);
  map_elements(
      elements, [factor](float value) { return factor * value; }, y, x);
}

}  // namespace

void fill(Cuda ctx, std::int64_t size, float value, float* y) {
  if (size <= 0) return;
  const Elements elements = elements_of(size, y);
  launch(fill_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements, value,
         y);
}

void add(Cuda ctx, std::int64_t size, const float* a, const float* b, float* y) {
  if (size <= 0) return;
  const Elements elements = elements_of(size, a, b, y);
  launch(add_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements, a, b, y);
}

void scale(Cuda ctx, std::int64_t size, Scale factor, const float* x, float* y) {
  if (size <= 0) return;
  const Elements elements = elements_of(size, x, y);
  launch(scale_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements, factor,
         x, y);
}

}  // namespace gradflip
