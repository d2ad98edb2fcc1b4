// Kernels of conv_block for the plain case: pools of 2 x 2, stride and dilation 1, tf32 or bf16,
// and channels and pointers that vectors of 16 bytes fit. The operations of conv_block.h hand over
// what pays here; whether a kernel can compute something depends on the GPU's shared memory, too.
// For everything else, and as a reference in tests, there is the engine of tile_gemm.cuh.
#pragma once

#include <cstdint>

#include "kernels/context.h"
#include "kernels/conv_block.h"

namespace gradflip {

// Whether the kernel can compute this. C is a multiple of 16, K of 4.
bool conv_block_forward_resident_can(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                     const float* filter);
// Whether it can, no more than half of what its tiles compute is for nothing, and a block's shared
// memory leaves room for another.
bool conv_block_forward_resident_pays(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                      const float* filter);
// The contract of conv_block_forward, for what it can compute.
void conv_block_forward_resident(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                 const float* filter, const float* bias, float* pooled,
                                 std::uint8_t* winner);

// Whether the kernel can compute this. K is a multiple of 16, C of 4.
bool conv_block_backward_data_resident_can(Cuda ctx, const ConvBlockShape& shape,
                                           const float* dpooled, const std::uint8_t* winner,
                                           const float* filter, const float* dx);
// Whether it can, no more than half of what its tiles compute is for nothing, and a block's shared
// memory leaves room for another.
bool conv_block_backward_data_resident_pays(Cuda ctx, const ConvBlockShape& shape,
                                            const float* dpooled, const std::uint8_t* winner,
                                            const float* filter, const float* dx);
// The contract of conv_block_backward_data, for what it can compute.
void conv_block_backward_data_resident(Cuda ctx, const ConvBlockShape& shape, const float* dpooled,
                                       const std::uint8_t* winner, const float* filter, float* dx);

// How many parts of (R*S*C + 1) * K floats the sum of the kernel for the filter's gradient has at
// most; no more for a smaller N. 0 if the kernel is not for this shape, whatever the pointers.
std::int64_t conv_block_backward_filter_resident_parts(Cuda ctx, const ConvBlockShape& shape);
// Whether the kernel can compute this. K is a multiple of 4; C is one of 16 and S at most 5, or S*C
// is at most 80 and W*C a multiple of 4.
bool conv_block_backward_filter_resident_can(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                             const float* dpooled, const std::uint8_t* winner);
// Whether it can, no more than half of what its tiles compute is for nothing, and a block's shared
// memory leaves room for another.
bool conv_block_backward_filter_resident_pays(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                              const float* dpooled, const std::uint8_t* winner);
// The contract of conv_block_backward_filter, for what it can compute. workspace: the parts,
// 64-byte aligned.
void conv_block_backward_filter_resident(Cuda ctx, const ConvBlockShape& shape, const float* x,
                                         const float* dpooled, const std::uint8_t* winner,
                                         Write write, float* dfilter, float* dbias,
                                         float* workspace, const GradientWatch& watch);

}  // namespace gradflip
