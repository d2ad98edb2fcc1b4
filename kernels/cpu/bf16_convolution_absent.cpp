// For compilers without bf16 products.
#include "kernels/cpu/bf16_convolution.h"
#include "kernels/cpu/bf16_gradients.h"

namespace gradflip {

const Bf16Convolution* bf16_convolution() { return nullptr; }
const Bf16Gradients* bf16_gradients() { return nullptr; }

}  // namespace gradflip
