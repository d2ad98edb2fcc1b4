#include "kernels/cuda/simt.h"
#include "tests/simt/planted/memory_shapes.h"

namespace planted {
namespace {

using gradflip::launch;

__global__ void copy_strided_kernel(int stride, const float* x, float* y) {
  y[threadIdx.x] = x[static_cast<int>(threadIdx.x) * stride];
}

template <int kRow>
__global__ void transpose_kernel(const float* x, float* y) {
  GRADFLIP_SHARED(float, tile, [32][kRow]);
  const unsigned t = threadIdx.x;
  for (unsigned row = 0; row < 32; ++row) tile[row][t] = x[row * 32 + t];
  __syncthreads();
  for (unsigned row = 0; row < 32; ++row) y[row * 32 + t] = tile[t][row];
}

__global__ void copy_fours_kernel(const float* x, float* y) {
  GRADFLIP_SHARED(float4, tile, [32]);
  const unsigned t = threadIdx.x;
  tile[t] = reinterpret_cast<const float4*>(x)[t];
  __syncthreads();
  reinterpret_cast<float4*>(y)[t] = tile[t ^ 1];
}

}  // namespace

void copy_strided(int stride, const float* x, float* y) {
  launch(copy_strided_kernel, 1, 32, 0, nullptr, stride, x, y);
}
void transpose_rows_of_32(const float* x, float* y) {
  launch(transpose_kernel<32>, 1, 32, 0, nullptr, x, y);
}
void transpose_rows_of_33(const float* x, float* y) {
  launch(transpose_kernel<33>, 1, 32, 0, nullptr, x, y);
}
void copy_fours(const float* x, float* y) { launch(copy_fours_kernel, 1, 32, 0, nullptr, x, y); }

}  // namespace planted
