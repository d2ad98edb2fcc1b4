// One launch for all parameters: they, their gradients and their velocities are flat blocks.
//
// Decomposition  four elements per thread where all three arrays allow it (vec4.cuh), grid-stride.
// Cost           memory-bound: 20 bytes per element.
// Numerics       those of sgd_update.cuh: the same bits whatever the alignment.
#include "kernels/cuda/sgd_update.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/vec4.cuh"
#include "kernels/sgd.h"

namespace gradflip {
namespace {

// T is float or float4.
template <typename T>
__device__ __forceinline__ void update_range(std::int64_t begin, std::int64_t end,
                                             const SgdOptions& options, float rate,
                                             const T* __restrict__ gradient, T* __restrict__ weight,
                                             T* __restrict__ velocity) {
  for (std::int64_t i = begin + global_thread(); i < end; i += global_threads()) {
    T w = weight[i];
    T v = velocity[i];
    sgd_update(options, rate, gradient[i], w, v);
    weight[i] = w;
    velocity[i] = v;
  }
}

__global__ void sgd_kernel(Elements elements, SgdOptions options, const float* learning_rate,
                           const std::int32_t* frozen, const float* gradient, float* weight,
                           float* velocity) {
  if (frozen != nullptr && *frozen != 0) return;
  const float rate = *learning_rate;
  update_range(0, elements.vectors, options, rate, reinterpret_cast<const float4*>(gradient),
               reinterpret_cast<float4*>(weight), reinterpret_cast<float4*>(velocity));
  update_range(4 * elements.vectors, elements.size, options, rate, gradient, weight, velocity);
}

}  // namespace

void sgd(Cuda ctx, std::int64_t size, const SgdOptions& options, const float* learning_rate,
         const std::int32_t* frozen, const float* gradient, float* weight, float* velocity) {
  if (size <= 0) return;
  const Elements elements = elements_of(size, gradient, weight, velocity);
  launch(sgd_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements, options,
         learning_rate, frozen, gradient, weight, velocity);
}

}  // namespace gradflip
