#include "kernels/cpu/bf16_convolution.h"

namespace gradflip {

const Bf16Convolution* bf16_convolution() { return nullptr; }

}  // namespace gradflip
