#include "kernels/conv_block/cpu/bf16_conv_block.h"

namespace gradflip {

const Bf16ConvBlock* bf16_conv_block() {
  const Bf16ConvBlock* amx = amx_conv_block();
  return amx != nullptr ? amx : avx512_bf16_conv_block();
}

}  // namespace gradflip
