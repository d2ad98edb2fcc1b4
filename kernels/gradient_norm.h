// The Euclidean norm of the gradients that an update takes, as one vector, and the factor that
// clips it, as torch.nn.utils.clip_grad_norm_ defines it (Pascanu et al., "On the difficulty of
// training recurrent neural networks", ICML 2013, algorithm 1):
//
//   norm   = sqrt(sum of gradient[i]^2 over the runs whose kind is not kNone)
//   factor = min(1, max_norm / (norm + 1e-6))
// Both are NaN if a gradient is; nothing else overflows on the way: sums are made in double.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/host_device.h"
#include "kernels/update_kinds.h"

namespace gradflip {

// All pointers are into the context's memory.
struct GradientNorm {
  std::int64_t size = 0;              // of gradient; may be 0: norm 0
  const UpdateKind* kinds = nullptr;  // null: everything
  float max_norm = 1.0F;              // > 0; infinite where the norm is only looked at
  const float* gradient = nullptr;
  float* norm = nullptr;    // one float; overwritten
  float* factor = nullptr;  // one float; overwritten: gradient_scale of sgd.h and adam.h
  void* scratch = nullptr;  // gradient_norm_scratch_bytes(ctx, size), aligned to 8; old contents
                            // are never read
};

std::int64_t gradient_norm_scratch_bytes(Cpu ctx, std::int64_t size);
std::int64_t gradient_norm_scratch_bytes(Cuda ctx, std::int64_t size);

// The order of the sum depends on size alone: not on the instruction set, the number of
// multiprocessors or the kinds.
void gradient_norm(Cpu ctx, const GradientNorm& norm);
void gradient_norm(Cuda ctx, const GradientNorm& norm);

// Throws std::invalid_argument for a size or a largest norm that is none.
void require_valid(const GradientNorm& norm);

// The factor of the formula above, for every backend. A norm that is NaN makes it one.
GRADFLIP_HOST_DEVICE inline float clip_factor(double norm, float max_norm) {
  const double ratio = static_cast<double>(max_norm) / (norm + 1e-6);
  return ratio >= 1.0 ? 1.0F : static_cast<float>(ratio);
}

}  // namespace gradflip
