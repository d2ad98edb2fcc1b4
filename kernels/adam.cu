// Both moments and the weights in one launch over flat blocks.
//
// Decomposition  four elements per thread where all four arrays allow it (vec4.cuh), grid-stride.
//                A block's first thread makes the corrections, in double, for all of them.
// Cost           memory-bound: 28 bytes per element that is updated, a sixteenth for its kind.
// Numerics       the CPU's fused multiply-adds in its order; the same bits whatever the alignment.
#include "kernels/adam.h"
#include "kernels/cuda/simt.h"
#include "kernels/cuda/update_kinds.cuh"
#include "kernels/cuda/vec4.cuh"

namespace gradflip {
namespace {

// Both in registers.
struct Rule {
  AdamOptions options;
  AdamFactors factors;
};

__device__ __forceinline__ void adam_update(const Rule& rule, bool decays, float gradient,
                                            float& weight, float& first_moment,
                                            float& second_moment) {
  const AdamOptions& options = rule.options;
  const AdamFactors& factors = rule.factors;
  const float decay = decays ? factors.coupled_decay : 0.0F;
  const float loss = decays ? factors.weight_loss : 0.0F;
  const float g = fmaf(decay, weight, factors.gradient_scale * gradient);
  first_moment = fmaf(options.beta1, first_moment, (1.0F - options.beta1) * g);
  second_moment = fmaf(options.beta2, second_moment, (1.0F - options.beta2) * g * g);
  weight = fmaf(-loss, weight, weight);
  const float root = fmaf(sqrtf(second_moment), factors.root_factor, options.epsilon);
  weight = fmaf(-factors.rate, first_moment / root, weight);
}

__device__ __forceinline__ void adam_update(const Rule& rule, bool decays, const float4& gradient,
                                            float4& weight, float4& first_moment,
                                            float4& second_moment) {
  adam_update(rule, decays, gradient.x, weight.x, first_moment.x, second_moment.x);
  adam_update(rule, decays, gradient.y, weight.y, first_moment.y, second_moment.y);
  adam_update(rule, decays, gradient.z, weight.z, first_moment.z, second_moment.z);
  adam_update(rule, decays, gradient.w, weight.w, first_moment.w, second_moment.w);
}

// T is float or float4.
template <typename T>
__device__ __forceinline__ void update_range(std::int64_t begin, std::int64_t end, const Rule& rule,
                                             const UpdateKind* kinds,
                                             const T* __restrict__ gradient, T* __restrict__ weight,
                                             T* __restrict__ first_moment,
                                             T* __restrict__ second_moment) {
  for (std::int64_t i = begin + global_thread(); i < end; i += global_threads()) {
    const UpdateKind kind = kind_at<T>(kinds, i);
    if (kind == UpdateKind::kNone) continue;
    T w = weight[i];
    T m = first_moment[i];
    T v = second_moment[i];
    adam_update(rule, kind == UpdateKind::kWithDecay, gradient[i], w, m, v);
    weight[i] = w;
    first_moment[i] = m;
    second_moment[i] = v;
  }
}

__global__ void adam_kernel(Elements elements, AdamUpdate update) {
  GRADFLIP_SHARED(AdamFactors, of_block, [1]);
  if (threadIdx.x == 0) of_block[0] = adam_factors(update);
  __syncthreads();
  if (update.frozen != nullptr && *update.frozen != 0) return;
  const Rule rule{update.options, of_block[0]};
  update_range(
      0, elements.vectors, rule, update.kinds, reinterpret_cast<const float4*>(update.gradient),
      reinterpret_cast<float4*>(update.weight), reinterpret_cast<float4*>(update.first_moment),
      reinterpret_cast<float4*>(update.second_moment));
  update_range(4 * elements.vectors, elements.size, rule, update.kinds, update.gradient,
               update.weight, update.first_moment, update.second_moment);
}

}  // namespace

void adam(Cuda ctx, const AdamUpdate& update) {
  require_valid(update.options);
  if (update.size <= 0) return;
  const Elements elements = elements_of(update.size, update.gradient, update.weight,
                                        update.first_moment, update.second_moment);
  launch(adam_kernel, elementwise_grid(ctx, elements), kElementwiseBlock, 0, ctx, elements, update);
}

}  // namespace gradflip
