// One launch for all parameters: they, their gradients and their velocities are flat blocks.
//
// Decomposition  four elements per thread where all three arrays allow it (vec4.cuh), grid-stride.
//                Sixteen neighbours have one kind: four threads, or half a warp.
// Cost           memory-bound: 20 bytes per element that is updated, a sixteenth for its kind.
// Numerics       those of sgd_update.cuh: the same bits whatever the alignment.
#include "kernels/cuda/sgd_update.cuh"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/update_kinds.cuh"
#include "kernels/cuda/vec4.cuh"
#include "kernels/sgd.h"

namespace gradflip {
namespace {

// T is float or float4.
template <typename T>
__device__ __forceinline__ void update_range(std::int64_t begin, std::int64_t end,
                                             const SgdFactors& factors, const UpdateKind* kinds,
                                             const T* __restrict__ gradient, T* __restrict__ weight,
                                             T* __restrict__ velocity) {
  for (std::int64_t i = begin + global_thread(); i < end; i += global_threads()) {
    const UpdateKind kind = kind_at<T>(kinds, i);
    if (kind == UpdateKind::kNone) continue;
    T w = weight[i];
    T v = velocity[i];
    sgd_update(factors, kind == UpdateKind::kWithDecay ? factors.options.weight_decay : 0.0F,
               gradient[i], w, v);
    weight[i] = w;
    velocity[i] = v;
  }
}

__global__ void sgd_kernel(Elements elements, SgdUpdate update) {
  if (update.frozen != nullptr && *update.frozen != 0) return;
  const SgdFactors factors{update.options, *update.learning_rate,
                           update.gradient_scale == nullptr ? 1.0F : *update.gradient_scale};
  update_range(
      0, elements.vectors, factors, update.kinds, reinterpret_cast<const float4*>(update.gradient),
      reinterpret_cast<float4*>(update.weight), reinterpret_cast<float4*>(update.velocity));
  update_range(4 * elements.vectors, elements.size, factors, update.kinds, update.gradient,
               update.weight, update.velocity);
}

}  // namespace

void sgd(Cuda ctx, const SgdUpdate& update) {
  if (update.size <= 0) return;
  const Elements elements =
      elements_of(update.size, update.gradient, update.weight, update.velocity);
  launch(sgd_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements, update);
}

}  // namespace gradflip
