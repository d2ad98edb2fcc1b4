// For processors and systems without AMX.
#include "kernels/conv_block/cpu/bf16_conv_block.h"

namespace gradflip {

const Bf16ConvBlock* amx_conv_block() { return nullptr; }

}  // namespace gradflip
