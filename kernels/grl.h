// Gradient reversal (Ganin & Lempitsky, ICML 2015, section 3; JMLR 2016, eq. 16-17): backward only.
//
//   forward    y = x              no kernel: the memory plan aliases y to x
//   backward   dx = -lambda * dy
// This is deliberately not the derivative of the forward. lambda is a Scale, so that it can follow
// a schedule in the context's memory. Where dy comes from a linear layer, gemm_terms applies the
// factor for nothing.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/write.h"

namespace gradflip {

// dy, dx: (size) f32. Overwrites dx; dx may be dy. size may be 0.
void grl_backward(Cpu ctx, std::int64_t size, Scale lambda, const float* dy, float* dx);
void grl_backward(Cuda ctx, std::int64_t size, Scale lambda, const float* dy, float* dx);

}  // namespace gradflip
