// For compilers without bf16 products.
#include "kernels/conv2d/cpu/bf16_conv2d.h"

namespace gradflip {

const Bf16Conv2d* avx512_bf16_conv2d() { return nullptr; }

}  // namespace gradflip
