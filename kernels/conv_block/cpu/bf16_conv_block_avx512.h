// The parts that bf16_conv_block_avx512.cpp puts together.
#pragma once

#include "kernels/conv_block/cpu/bf16_convolution.h"
#include "kernels/conv_block/cpu/bf16_gradients.h"

namespace gradflip {

extern const Bf16Convolution kAvx512Convolution;
extern const Bf16Gradients kAvx512Gradients;

}  // namespace gradflip
