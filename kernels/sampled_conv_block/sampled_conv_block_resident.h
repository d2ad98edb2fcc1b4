// The kernel of sampled_conv_block for its plain case: pools of 2 x 2, stride and dilation 1, tf32
// or bf16, and a filter whose rows, padded to whole sixteens, are at most 80 taps.
// sampled_conv_block hands over what pays here; for everything else, and as a reference in tests,
// there is the engine of tile_gemm.cuh.
#pragma once

#include "kernels/context.h"
#include "kernels/sampled_conv_block.h"

namespace gradflip {

// Whether the kernel can compute this: K is a multiple of 4, filter and pooled begin on 16 bytes,
// winner on 4.
bool sampled_conv_block_resident_can(Cuda ctx, const SampledConvBlock& block);

// Whether it can, there is a picture, and no more than half of what it computes is for nothing.
bool sampled_conv_block_resident_pays(Cuda ctx, const SampledConvBlock& block);

// The contract of sampled_conv_block_forward, for what it can compute and N > 0.
void sampled_conv_block_resident(Cuda ctx, const SampledConvBlock& block);

}  // namespace gradflip
