// For compilers without bf16 products.
#include "kernels/conv_block/cpu/bf16_conv_block.h"

namespace gradflip {

const Bf16ConvBlock* avx512_bf16_conv_block() { return nullptr; }

}  // namespace gradflip
