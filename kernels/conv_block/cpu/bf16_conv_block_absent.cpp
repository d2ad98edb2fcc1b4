// For compilers without bf16 products.
#include "kernels/conv_block/cpu/bf16_conv_block.h"
#include "kernels/gemm/bf16_gemm.h"

namespace gradflip {

const Bf16ConvBlock* avx512_bf16_conv_block() { return nullptr; }
const Bf16Gemm* avx512_bf16_gemm() { return nullptr; }

}  // namespace gradflip
