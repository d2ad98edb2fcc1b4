// Decomposition  four elements per thread where both arrays allow it (vec4.cuh), grid-stride.
// Cost           memory-bound: 12 bytes per element that is averaged, a sixteenth for its kind.
// Numerics       the CPU's fused multiply-add: the same bits.
#include "kernels/average.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/update_kinds.cuh"
#include "kernels/cuda/vec4.cuh"

namespace gradflip {
namespace {

__device__ __forceinline__ float averaged_with(float keep, float take, float weight,
                                               float averaged) {
  return fmaf(keep, averaged, take * weight);
}

__device__ __forceinline__ float4 averaged_with(float keep, float take, const float4& weight,
                                                const float4& averaged) {
  return make_float4(averaged_with(keep, take, weight.x, averaged.x),
                     averaged_with(keep, take, weight.y, averaged.y),
                     averaged_with(keep, take, weight.z, averaged.z),
                     averaged_with(keep, take, weight.w, averaged.w));
}

// T is float or float4.
template <typename T>
__device__ __forceinline__ void average_range(std::int64_t begin, std::int64_t end, float decay,
                                              const UpdateKind* kinds, const T* __restrict__ weight,
                                              T* __restrict__ averaged) {
  for (std::int64_t i = begin + global_thread(); i < end; i += global_threads()) {
    if (kind_at<T>(kinds, i) == UpdateKind::kNone) continue;
    averaged[i] = averaged_with(decay, 1.0F - decay, weight[i], averaged[i]);
  }
}

__global__ void average_kernel(Elements elements, AverageUpdate update) {
  if (update.frozen != nullptr && *update.frozen != 0) return;
  const float decay = value_of(update.decay);
  average_range(0, elements.vectors, decay, update.kinds,
                reinterpret_cast<const float4*>(update.weight),
                reinterpret_cast<float4*>(update.averaged));
  average_range(4 * elements.vectors, elements.size, decay, update.kinds, update.weight,
                update.averaged);
}

}  // namespace

void average(Cuda ctx, const AverageUpdate& update) {
  if (update.size <= 0) return;
  const Elements elements = elements_of(update.size, update.weight, update.averaged);
  launch(average_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements,
         update);
}

}  // namespace gradflip
